"""Encoders by name: frozen networks that look at faces.

A new one is a module here with ``load(weights) -> Encoder``, and a line in ``ENCODERS``.
"""

from importlib import import_module

from facewave.appearance.encoders.encoder import Encoder
from facewave.errors import UserError

# What an encoder's name begins with -> its module here, imported when it is asked for.
ENCODERS = {
    "fer": "fer",
    "face_api": "face_api",
    "mobilefacenet": "mobilefacenet",
    "enet_b0_8_va_mtl": "emotiefflib",
    "hub": "hub",
    "torchvision": "torchvision",
    "trained": "trained",
}
# Their names name weights, too.
_NAMED = {
    "hub": "an id of the Hugging Face hub, ID@REVISION or a folder",
    "torchvision": "a model",
    "trained": "a copy of the folder of a network over faces",
}


def load(name: str) -> Encoder:
    """The encoder of a name, such as ``fer`` or ``hub:facebook/dinov2-small``.

    Its weights are not read before it looks at a face.

    Raises:
        UserError: there is none of this name, or what it is made of cannot be had.
    """
    kind, colon, weights = name.partition(":")
    if kind not in ENCODERS or bool(weights) != (kind in _NAMED) or (colon and not weights):
        known = [f"{kind}:<{_NAMED[kind]}>" if kind in _NAMED else kind for kind in ENCODERS]
        raise UserError(f"there is no encoder {name!r}. There are: {', '.join(known)}.")
    module = import_module(f"{__name__}.{ENCODERS[kind]}")
    encoder: Encoder = module.load(weights) if weights else module.load()
    return encoder
