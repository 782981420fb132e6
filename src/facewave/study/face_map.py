"""Which part of a face a blendshape or a point of the mesh belongs to, and the mesh as a picture.

The contours are MediaPipe's (``FaceLandmarksConnections``), their points in the order in which they
are joined; it has none for the cheeks. "Left" and "right" are the person's. The forehead belongs to
the brows: one muscle moves both.

Legend of names: P points of the mesh, C coordinates.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Circle, Polygon
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.spatial import Delaunay, KDTree

from facewave import figures
from facewave.wavelets.schema import POINTS, Features, unfolded

Floats = NDArray[np.float64]

LEFT_EYE = (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398)
RIGHT_EYE = (133, 155, 154, 153, 145, 144, 163, 7, 33, 246, 161, 160, 159, 158, 157, 173)
LEFT_IRIS, RIGHT_IRIS = (473, 474, 475, 476, 477), (468, 469, 470, 471, 472)  # the centre first
LEFT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
OUTER_LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)
INNER_LIPS = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
BRIDGE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2)
NOSTRILS = (97, 98, 64, 48, 115, 220, 45, 4, 275, 440, 344, 278, 294, 327, 326)
_LEFT_SIDE = (356, 454, 323, 361)
_JAW = (288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58)
_RIGHT_SIDE = (132, 93, 234, 127)
OUTLINE = (
    *(162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389),  # over the forehead
    *_LEFT_SIDE,
    *_JAW,
    *_RIGHT_SIDE,
)
_LEFT_CHEEK, _RIGHT_CHEEK = (330, 280, 425, 411, 427, 352), (101, 50, 205, 187, 207, 123)

REGIONS = ("brows", "eyes", "nose", "mouth", "cheeks", "jaw")
_SEEDS = {
    "brows": (*LEFT_BROW, *RIGHT_BROW),
    "eyes": (*LEFT_EYE, *RIGHT_EYE, *LEFT_IRIS, *RIGHT_IRIS),
    "nose": (*BRIDGE, *NOSTRILS),
    "mouth": (*OUTER_LIPS, *INNER_LIPS),
    "cheeks": (*_LEFT_CHEEK, *_RIGHT_CHEEK, *_LEFT_SIDE, *_RIGHT_SIDE),
    "jaw": _JAW,
}
_INK, _UNKNOWN = "#333333", "#d9d9d9"
_LINES: dict[tuple[int, ...], str] = {  # what is drawn over the mesh -> its filling
    LEFT_EYE: "white",
    RIGHT_EYE: "white",
    INNER_LIPS: _INK,
} | dict.fromkeys((LEFT_BROW, RIGHT_BROW, OUTER_LIPS, OUTLINE), "none")
_LEAST = 1e-9  # of the colour scale's top, so that 0 keeps its colour if all values are 0


def region_of_blendshape(name: str) -> str:
    """The region that a blendshape moves, one of ``REGIONS``; "" for ``_neutral``.

    Raises:
        ValueError: it is not a blendshape of MediaPipe.
    """
    if name == "_neutral":
        return ""
    for region in REGIONS:
        if name.startswith(region.removesuffix("s")):
            return region
    raise ValueError(f"{name!r} is not a blendshape of MediaPipe")


def region_of_points(points_PC: Floats) -> NDArray[np.str_]:
    """The region of each point: that of the nearest point on a contour.

    Args:
        points_PC: (478, 3) or (478, 2), a neutral face from the front, in one unit on all axes.

    Returns:
        (478,), of ``REGIONS``.
    """
    seeds = [point for points in _SEEDS.values() for point in points]
    names = np.array([region for region, points in _SEEDS.items() for _ in points])
    _, nearest = KDTree(points_PC[seeds]).query(points_PC)
    return names[nearest]


def regions(features: Features, at: NDArray[np.int64]) -> NDArray[np.str_]:
    """The region of each point that the blocks have, by the mean face of some clips at ``at``.

    There are none where the tracks of another tool have no mesh.
    """
    if "pose_free" not in features.blocks:
        return np.array([], str)
    region_P = region_of_points(mean_face(features, at))
    return region_P[POINTS] if features.config["sides"] == "merged" else region_P


def mean_face(features: Features, at: NDArray[np.int64]) -> Floats:
    """The mean face of some clips over time, without the head's pose, (478, 3).

    Args:
        features: of a dataset.
        at: the clips' positions in it.
    """
    functions_PN = features.functions_PN
    # Where numbers have no functions of time, the first is a mean over the clip or its first part.
    first_N = np.eye(1, functions_PN.shape[1])[0]
    mean_N = functions_PN.mean(axis=0) if len(functions_PN) else first_N
    numbers_NPC = np.mean(features.blocks["pose_free"][at], axis=0, dtype=np.float64)
    face_PC = np.tensordot(mean_N, numbers_NPC, 1)
    return unfolded(face_PC) if features.config["sides"] == "merged" else face_PC


def draw_mesh(axes: Axes, points_PC: Floats, values_P: Floats, label: str) -> None:
    """Draw the face from the front, its triangles coloured by value, with a colour bar.

    The triangles are a Delaunay triangulation of the points as seen from the front, without those
    outside the outline; eyes and mouth stay open.

    Args:
        axes: its frame and ticks are removed.
        points_PC: (478, 2 or 3), without the head's pose: x to the picture's right, y up.
        values_P: (478,); a triangle has the mean of its corners. NaN is grey, values below 0 have
            the colour of 0.
        label: of the colour bar.
    """
    points_P2 = points_PC[:, :2]
    triangles_M3 = _triangles(points_P2)
    top = max(float(np.nanmax(values_P, initial=0.0)), _LEAST)
    mesh = PolyCollection(
        list(points_P2[triangles_M3]),
        array=np.ma.masked_invalid(values_P[triangles_M3].mean(axis=1)),
        cmap=mpl.colormaps[figures.STYLE["image.cmap"]].with_extremes(bad=_UNKNOWN),
        norm=Normalize(0, top),
        edgecolors="white",
        linewidths=0.3,
    )
    axes.add_collection(mesh)
    for line, fill in _LINES.items():
        axes.add_patch(Polygon(points_P2[list(line)], fc=fill, ec=_INK, lw=0.9, joinstyle="round"))
    for eye, (centre, *rim) in ((LEFT_EYE, LEFT_IRIS), (RIGHT_EYE, RIGHT_IRIS)):
        radius = np.linalg.norm(points_P2[rim] - points_P2[centre], axis=1).mean()
        iris = axes.add_patch(Circle(points_P2[centre], radius, color=_INK))
        iris.set_clip_path(Polygon(points_P2[list(eye)], transform=axes.transData))
    axes.autoscale_view()  # matplotlib does so itself from 3.11 on
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.figure.colorbar(mesh, ax=axes, label=label, shrink=0.6, location="left")


def _triangles(points_P2: Floats) -> NDArray[np.int64]:
    """Triangles inside the outline, (M, 3), of all points except the irises."""
    skin = np.setdiff1d(np.arange(len(points_P2)), (*LEFT_IRIS, *RIGHT_IRIS))
    triangles_M3 = skin[Delaunay(points_P2[skin]).simplices]
    outline = Path(points_P2[list(OUTLINE)])
    inside = outline.contains_points(points_P2[triangles_M3].mean(axis=1))
    return triangles_M3[inside]
