"""EmotiEffLib's EfficientNet-B0: eight words, valence and arousal, 1,280 features; ONNX Runtime.

Savchenko, "Facial expression and attributes recognition based on multi-task learning of lightweight
neural networks", 2021. Its features are the input of its last layer, as in its own library.
"""

from functools import partial

from facewave.appearance.encoders.encoder import Encoder, of_asset
from facewave.appearance.encoders.on_onnxruntime import open_graph
from facewave.assets import Asset

_ADDRESS = "https://github.com/sb-ai-lab/EmotiEffLib"
_COMMIT = "af833487321c3efdcb1768a91a6c656a1986fdf6"
_FILE = "enet_b0_8_va_mtl.onnx"
ASSET = Asset(
    name=f"emotiefflib/{_FILE}",
    title="the expression network of EmotiEffLib",
    url=f"{_ADDRESS}/raw/{_COMMIT}/models/affectnet_emotions/onnx/{_FILE}",
    sha256="c43e056ad388d4a8dc911832b8291435b2af537f967e5870ebd731574ec7e812",
    size=16_049_834,
    licence="Apache-2.0",
    learnt_on="AffectNet",
)
_VERSION = 1  # of what is done before and after the network
_WORDS = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
_WIDTH = 1280  # of the features
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def load() -> Encoder:
    """The encoder."""
    return Encoder(
        name="enet_b0_8_va_mtl",
        side=224,
        words=_WORDS,
        numbers=("valence", "arousal"),
        width=_WIDTH,
        identity={"sha256": ASSET.sha256, "version": _VERSION},
        about=of_asset(ASSET, _ADDRESS),
        open=partial(open_graph, ASSET, len(_WORDS), _MEAN, _STD, embeds=True),
    )
