"""The landmarker's file: found, or downloaded from its official address, and always checked."""

import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from facewave.errors import UserError
from facewave.files import replacing, sha256

NAME = "face_landmarker.task"
URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
    f"float16/1/{NAME}"
)
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
ASSETS = "FACEWAVE_ASSETS"
HOME = Path("models") / NAME
_TIMEOUT_S = 60


def find() -> Path | None:
    """Where the file already is: in the folder named by FACEWAVE_ASSETS, or in models/."""
    folder = Path(os.environ.get(ASSETS) or HOME.parent)
    return next((path for path in (folder / NAME, HOME) if path.is_file()), None)


def get() -> Path:
    """The checked file, downloaded to models/ if it is nowhere yet.

    Raises:
        UserError: it cannot be downloaded, or its SHA-256 is wrong.
    """
    if (path := find()) is None:
        return _download()
    if (actual := sha256(path)) != SHA256:
        raise UserError(
            f"{path} is not the landmarker that this project uses: its SHA-256 is {actual}, "
            f"expected {SHA256}. Delete it and run again to download it from {URL}."
        )
    return path


def _download() -> Path:
    print(f"downloading the landmarker from {URL}")
    try:
        with (
            urllib.request.urlopen(URL, timeout=_TIMEOUT_S) as response,
            replacing(HOME) as temporary,
        ):
            with temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
            if (actual := sha256(temporary)) != SHA256:  # cut off, or replaced on the way
                raise UserError(
                    f"what {URL} sent has SHA-256 {actual}, expected {SHA256}; it was not kept. "
                    "Run again, or check what stands between this machine and that address."
                )
    except (urllib.error.URLError, TimeoutError) as error:
        raise UserError(
            f"the landmarker cannot be downloaded ({error}). Fetch {URL} on a machine that can, "
            f"and put it at {HOME}, or name its folder: {ASSETS}=<folder>."
        ) from None
    return HOME
