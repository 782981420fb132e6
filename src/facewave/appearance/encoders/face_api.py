"""The expression network of face-api, of 0.33 MB: its answers and its 256 features.

Mühler, face-api.js, 2018, whose densely connected blocks of depthwise separable convolutions are
written here in torch. The published weights are bytes, which the manifest beside them names and
scales.
"""

import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from facewave import assets, on_torch
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen, of_asset
from facewave.assets import Asset

_ADDRESS = "https://github.com/vladmandic/face-api"
_FOLDER = "https://cdn.jsdelivr.net/npm/@vladmandic/face-api@1.7.15/model/"
_LICENCE, _LEARNT_ON = "MIT", "public data sets and pictures from the web"
WEIGHTS = Asset(
    name="face_api/face_expression_model.bin",
    title="the expression network of face-api",
    url=f"{_FOLDER}face_expression_model.bin",
    sha256="9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    size=329_468,
    licence=_LICENCE,
    learnt_on=_LEARNT_ON,
)
MANIFEST = Asset(
    name="face_api/face_expression_model-weights_manifest.json",
    title="the list of the weights of face-api",
    url=f"{_FOLDER}face_expression_model-weights_manifest.json",
    sha256="5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8",
    size=6_980,
    licence=_LICENCE,
    learnt_on=_LEARNT_ON,
)
_VERSION = 1  # of the network as written here, and of what is done before it
_MEAN = (122.782, 117.001, 104.298)  # of red, green and blue, subtracted before scaling by 1/255
_BLOCKS = ("dense0", "dense1", "dense2", "dense3")


def load() -> Encoder:
    """The encoder."""
    return Encoder(
        name="face_api",
        side=112,
        words=("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"),
        width=256,
        identity={"sha256": [WEIGHTS.sha256, MANIFEST.sha256], "version": _VERSION},
        about=of_asset(WEIGHTS, _ADDRESS),
        device=on_torch.device(),
        open=Network,
    )


class Network:
    """The network with the published weights."""

    def __init__(self) -> None:
        manifest = json.loads(assets.get(MANIFEST).read_text("utf-8"))
        tensors = unpacked(manifest[0]["weights"], assets.get(WEIGHTS).read_bytes())
        self._device = on_torch.device()
        self._weights = {name: _for_torch(name, w).to(self._device) for name, w in tensors.items()}
        self._mean_C11 = torch.tensor(_MEAN, device=self._device)[:, None, None]

    def __call__(self, faces: Faces) -> Seen:
        """Log probabilities (n, 7) and embedding (n, 256) of faces (n, 112, 112, 3)."""
        with on_torch.repeatable():
            x = torch.from_numpy(faces).to(self._device).permute(0, 3, 1, 2)
            logits, embedding = self.forward(x.float().sub_(self._mean_C11).div_(255))
            return F.log_softmax(logits, 1).cpu().numpy(), embedding.cpu().numpy()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 7) and embedding (n, 256) of prepared faces (n, 3, 112, 112)."""
        for block in _BLOCKS:
            x = self._block(x, block)
        embedding = x.mean((2, 3))
        return embedding @ self._weights["fc/weights"] + self._weights["fc/bias"], embedding

    def _block(self, x: Tensor, block: str) -> Tensor:
        """(n, channels in, h, w) -> (n, channels out, h/2, w/2), densely connected."""
        a = F.relu(self._convolution(F.pad(x, (0, 1, 0, 1)), f"{block}/conv0", 2, 0))
        b = self._convolution(a, f"{block}/conv1", 1, 1)
        c = self._convolution(F.relu(a + b), f"{block}/conv2", 1, 1)
        d = self._convolution(F.relu(a + b + c), f"{block}/conv3", 1, 1)
        return F.relu(a + b + c + d)

    def _convolution(self, x: Tensor, name: str, stride: int, padding: int) -> Tensor:
        """3 x 3; depthwise and then pointwise but for the first of all.

        TensorFlow's padding "same" puts the odd pixel of stride 2 at the end: ``_block`` does.
        """
        bias = self._weights[f"{name}/bias"]
        if (filters := self._weights.get(f"{name}/filters")) is not None:
            return F.conv2d(x, filters, bias, stride, padding)
        depthwise = self._weights[f"{name}/depthwise_filter"]
        x = F.conv2d(x, depthwise, None, stride, padding, groups=x.shape[1])
        return F.conv2d(x, self._weights[f"{name}/pointwise_filter"], bias)


def _for_torch(name: str, weights: Tensor) -> Tensor:
    """TensorFlow's (h, w, in, out) as torch's (out, in, h, w), with the channels last in memory.

    So lie the faces, too: half the time of the other order.
    """
    if weights.ndim != 4:
        return weights
    order = (2, 3, 0, 1) if name.endswith("depthwise_filter") else (3, 2, 0, 1)
    return weights.permute(order).contiguous(memory_format=torch.channels_last)


def unpacked(entries: list[dict[str, Any]], content: bytes) -> dict[str, Tensor]:
    """The tensors in a file of TensorFlow.js: one after the other, as float32 or as bytes.

    Args:
        entries: name, shape and quantization (scale and min of bytes) of each, in their order.
        content: of the file.
    """
    tensors, at = {}, 0
    for entry in entries:
        quantization = entry.get("quantization")
        stored = np.dtype("u1" if quantization else "<f4")
        values = np.frombuffer(content, stored, math.prod(entry["shape"]), at)
        at += values.nbytes
        if quantization:
            values = values * quantization["scale"] + quantization["min"]
        tensors[entry["name"]] = torch.from_numpy(values.astype("f4").reshape(entry["shape"]))
    return tensors
