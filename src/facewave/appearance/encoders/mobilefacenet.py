"""OpenCV Zoo's expression network: a MobileFaceNet of 4.8 MB, run by ONNX Runtime.

Jiang and Deng, "Boosting Facial Expression Recognition by a Semi-Supervised Progressive Teacher",
2021. Its own demo turns a face so that eyes, nose and corners of the mouth come to fixed places of
the picture. Here it is not turned; it is as large as there, and 8 % of the picture higher.
"""

from functools import partial

from facewave.appearance.encoders.encoder import Encoder, of_asset
from facewave.appearance.encoders.on_onnxruntime import open_graph
from facewave.assets import Asset

_FOLDER = "https://github.com/opencv/opencv_zoo/raw/main/models/facial_expression_recognition/"
_FILE = "facial_expression_recognition_mobilefacenet_2022july.onnx"
ASSET = Asset(
    name=f"opencv_zoo/{_FILE}",
    title="the expression network of OpenCV Zoo",
    url=f"{_FOLDER}{_FILE}",
    sha256="4f61307602fc089ce20488a31d4e4614e3c9753a7d6c41578c854858b183e1a9",
    size=4_791_892,
    licence="Apache-2.0",
    learnt_on="RAF-DB",
)
_VERSION = 1  # of what is done before and after the network
_WORDS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
# The demo's square is 1.13 boxes wide: the median of nine real clips.
_MARGIN = 0.06
_HALF = (0.5, 0.5, 0.5)


def load() -> Encoder:
    """The encoder."""
    return Encoder(
        name="mobilefacenet",
        side=112,
        margin=_MARGIN,
        words=_WORDS,
        identity={"sha256": ASSET.sha256, "version": _VERSION},
        about=of_asset(ASSET, "https://github.com/opencv/opencv_zoo"),
        open=partial(open_graph, ASSET, len(_WORDS), _HALF, _HALF),
    )
