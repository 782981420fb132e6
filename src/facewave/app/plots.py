"""What the Python interface draws."""

import io

from matplotlib.figure import Figure


class Plot(Figure):
    """A figure that a notebook shows as it is, without pyplot and the state that it keeps."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        # Without Matplotlib's version, which would change the bytes.
        self.savefig(picture, format="png", metadata={"Software": None})
        return picture.getvalue()
