"""Networks of a few numbers in the formats of encoders, made in code: ONNX, TFLite, TensorFlow.js.

Each sees of a face the mean of every channel, and answers with a linear layer of it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewave.appearance.encoders.on_onnxruntime import field

Values = NDArray[np.float32]


def onnx(
    path: Path, side: int, weights_CA: Values, *, batch: int = 0, softmax: bool = False
) -> Path:
    """A graph (n, 3, side, side) -> (n, answers); its last layer takes the channels' means.

    Args:
        path: of the file.
        side: of its pictures.
        weights_CA: of the three channels' means in the answers.
        batch: the one number of faces that it takes; 0: any.
        softmax: whether it gives probabilities.
    """
    answers = weights_CA.shape[1]
    layers = [
        _node("GlobalAveragePool", ["data"], "pooled"),
        _node("Flatten", ["pooled"], "features"),
        _node("Gemm", ["features", "weights", "bias"], "logits"),
    ]
    if softmax:
        layers.append(_node("Softmax", ["logits"], "probabilities"))
    graph = b"".join(field(1, layer) for layer in layers) + field(2, b"tiny")
    graph += field(5, _tensor("weights", weights_CA)) + field(5, _tensor("bias", np.zeros(answers)))
    graph += field(11, _value("data", [batch, 3, side, side]))
    graph += field(12, _value("probabilities" if softmax else "logits", [batch, answers]))
    opset = field(8, field(1, b"") + _number(2, 13))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_number(1, 8) + opset + field(7, graph))
    return path


def _number(number: int, value: int) -> bytes:
    assert value < 128 * 128
    return bytes([number << 3, *([value | 128, value >> 7] if value > 127 else [value])])


def _node(operation: str, inputs: Sequence[str], output: str) -> bytes:
    named = b"".join(field(1, name.encode()) for name in inputs)
    return named + field(2, output.encode()) + field(4, operation.encode())


def _tensor(name: str, values: NDArray[np.floating]) -> bytes:
    shape = b"".join(_number(1, size) for size in values.shape)
    return (
        shape + _number(2, 1) + field(8, name.encode()) + field(9, values.astype("<f4").tobytes())
    )


def _value(name: str, shape: Sequence[int]) -> bytes:
    sizes = (_number(1, size) if size else field(2, b"batch") for size in shape)
    dims = b"".join(field(1, size) for size in sizes)
    return field(1, name.encode()) + field(2, field(1, _number(1, 1) + field(2, dims)))


def tflite(path: Path, side: int, weights_A: Values) -> Path:
    """A model (1, side, side, 1) -> (1, answers): probabilities of the mean times ``weights_A``."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    answers = len(weights_A)
    model = schema.ModelT()
    model.version = 3
    graph = schema.SubGraphT()
    model.buffers = [schema.BufferT()]

    def tensor(name: str, shape: list[int], values: NDArray[np.generic] | None = None) -> int:
        added = schema.TensorT()
        added.name, added.shape, added.buffer = name, shape, 0
        added.type = schema.TensorType.FLOAT32
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            model.buffers.append(buffer)
            added.buffer = len(model.buffers) - 1
            if values.dtype == np.int32:
                added.type = schema.TensorType.INT32
        graph.tensors.append(added)
        return len(graph.tensors) - 1

    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    faces = tensor("faces", [1, side, side, 1])
    axes = tensor("axes", [2], np.array([1, 2], np.int32))
    means = tensor("means", [1, 1])
    weights = tensor("weights", [answers, 1], weights_A.astype("<f4")[:, None])
    logits, output = tensor("logits", [1, answers]), tensor("probabilities", [1, answers])
    layers = (
        ("MEAN", "ReducerOptions", [faces, axes], means),
        ("FULLY_CONNECTED", "FullyConnectedOptions", [means, weights, -1], logits),
        ("SOFTMAX", "SoftmaxOptions", [logits], output),
    )
    for index, (operation, kind, inputs, result) in enumerate(layers):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operation)
        layer = schema.OperatorT()
        layer.opcodeIndex, layer.inputs, layer.outputs = index, inputs, [result]
        layer.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        layer.builtinOptions = getattr(schema, f"{kind}T")()
        if operation == "SOFTMAX":
            layer.builtinOptions.beta = 1.0
        model.operatorCodes.append(code)
        graph.operators.append(layer)
    graph.inputs, graph.outputs, model.subgraphs = [faces], [output], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(builder.Output())
    return path
