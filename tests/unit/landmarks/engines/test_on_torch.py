"""The models in torch answer as LiteRT does, many inputs at a time."""

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from facewave.landmarks.engines import litert
from facewave.landmarks.engines.tracker import ModelName
from facewave.video import Clip
from running import ROOT


class _File:
    """A .tflite file in the making, for inputs (n, 5, 7, 4)."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.inputs = [self._tensor((1, 5, 7, 4))]

    def _tensor(self, shape: tuple[int, ...], values: NDArray[Any] | None = None) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.name = list(shape), f"{len(self.graph.tensors)}"
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            tensor.type = {"float16": 1, "float32": 0, "int32": 2}[values.dtype.name]
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: NDArray[Any]) -> int:
        return self._tensor(values.shape, values)

    def weights(self, *shape: int) -> int:
        return self.constant(self.random.normal(size=shape).astype(np.float32))

    def add(
        self, name: str, inputs: list[int], shape: tuple[int, ...], **options: int | list[int]
    ) -> int:
        """An operator; ``kind`` is that of its options."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        operator.inputs, operator.outputs = inputs, [self._tensor(shape)]
        kind = next((k for k in _OPTIONS if k in name), None)
        if kind:
            operator.builtinOptions = getattr(schema, f"{_OPTIONS[kind]}T")()
            vars(operator.builtinOptions).update(options)
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[kind])
        self.graph.operators.append(operator)
        return int(operator.outputs[0])

    def content(self, *outputs: int) -> bytes:
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


_OPTIONS = {"DEPTHWISE": "DepthwiseConv2DOptions", "CONV": "Conv2DOptions", "POOL": "Pool2DOptions",
            "ADD": "AddOptions", "SLICE": "StridedSliceOptions",
            "CONCAT": "ConcatenationOptions"}  # fmt: skip


def test_odd_sizes_strides_and_paddings_are_tflites() -> None:
    from facewave.landmarks.engines.on_torch import Graph

    file = _File()
    steps = {"strideH": 2, "strideW": 2}
    half = file.constant(file.random.normal(size=(6, 3, 2, 4)).astype(np.float16))
    weights = file.add("DEQUANTIZE", [half], (6, 3, 2, 4))
    conv = file.add("CONV_2D", [0, weights, file.weights(6)], (1, 3, 4, 6), **steps,
                    fusedActivationFunction=1)  # fmt: skip
    prelu = file.add("PRELU", [conv, file.weights(1, 1, 6)], (1, 3, 4, 6))
    wide = file.add("DEPTHWISE_CONV_2D", [prelu, file.weights(1, 2, 3, 12), file.weights(12)],
                    (1, 3, 4, 12), strideH=1, strideW=1, depthMultiplier=2)  # fmt: skip
    pool = file.add("MAX_POOL_2D", [wide], (1, 2, 2, 12), filterHeight=2, filterWidth=3, **steps)
    token = file.weights(1, 2, 1, 12)
    both = file.add("CONCATENATION", [token, pool], (1, 2, 3, 12), axis=2)
    corners = [np.array(c, np.int32) for c in ([0, 1, 0, 2], [1, 2, 2, 0], [1, 1, 1, 3])]
    part = file.add("STRIDED_SLICE", [both, *map(file.constant, corners)], (2, 4),
                    endMask=8, shrinkAxisMask=3)  # fmt: skip
    # LiteRT's slice takes the batch's axis away, where there is one: the batch stays here.
    content = file.content(part, both)
    inputs = file.random.normal(size=(3, 5, 7, 4)).astype(np.float32)
    answers = Graph(content, "cpu")(inputs)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for n, one in enumerate(inputs):
        interpreter.set_tensor(0, one[None])
        interpreter.invoke()
        for answer, details in zip(answers, interpreter.get_output_details(), strict=True):
            expected = interpreter.get_tensor(details["index"]).ravel()
            np.testing.assert_allclose(answer[n], expected, atol=1e-5)


def test_what_is_not_known_is_named() -> None:
    from facewave.landmarks.engines.on_torch import Graph

    file = _File()
    odd = file.add("COS", [0], (1, 5, 7, 4))
    with pytest.raises(ValueError, match="operator COS"):
        Graph(file.content(odd), "cpu")
    file = _File()
    odd = file.add("ADD", [0, 0], (1, 5, 7, 4), fusedActivationFunction=4)
    with pytest.raises(ValueError, match=r"operator ADD \(activation 4\)"):
        Graph(file.content(odd), "cpu")


def test_models_answer_as_litert_does(landmarker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On pictures of a face as a tracker cuts them out, all of a clip at once."""
    from facewave.landmarks.engines import on_torch
    from facewave.landmarks.engines.tracker import Tracker

    models = litert.load(landmarker.read_bytes())
    asked: dict[ModelName, list[NDArray[np.float32]]] = {}

    class Noted:
        canonical = models.canonical

        def __call__(
            self, name: ModelName, inputs: NDArray[np.float32]
        ) -> list[NDArray[np.float32]]:
            asked.setdefault(name, []).append(inputs)
            return models(name, inputs)

    tracker = Tracker(Noted(), smooth=True)
    for t, (_, _, picture) in enumerate(Clip(ROOT / "data/raw/demo/clips/3.mp4", 25.0).frames(4)):
        if picture is not None:
            tracker.look(picture, 250 * t)
    batched = on_torch.Models(landmarker.read_bytes(), "cpu")
    monkeypatch.setattr(on_torch, "_MOST", 3)
    assert set(asked) == {"detector", "landmarks", "blendshapes"}
    for name, inputs in asked.items():
        batch = np.concatenate(inputs)
        assert len(batch) >= (2 if name == "detector" else 4)
        for answer, expected in zip(batched(name, batch), models(name, batch), strict=True):
            np.testing.assert_allclose(answer, expected, atol=1e-3)
