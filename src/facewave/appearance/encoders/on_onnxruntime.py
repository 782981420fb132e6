"""How encoders run on ONNX Runtime: published graphs, and what their last layer takes.

A graph's output are its answers. The embedding is the input of its last layer, which becomes an
output here: a serialised protobuf message to which another is appended is both, merged
(protobuf.dev/programming-guides/encoding, "Last One Wins"), so that neither the package onnx
nor protobuf is needed. Numbers of fields: github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facewave import assets
from facewave.appearance.encoders.encoder import Faces, Seen, log_of, log_softmax
from facewave.assets import Asset
from facewave.errors import UserError

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_OUTPUT = 7, 1, 12
_NODE_INPUT, _NODE_OP_TYPE = 1, 4
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_ELEMENT, _FLOAT = 1, 2, 1, 1, 1


def open_graph(
    asset: Asset,
    words: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    embeds: bool = False,
) -> Callable[[Faces], Seen]:
    """A graph that takes (n, 3, side, side) float32 RGB and gives (n, answers).

    Args:
        asset: its file.
        words: how many of its answers are logits of words; numbers follow.
        mean: of red, green and blue between 0 and 1, subtracted from faces.
        std: of red, green and blue; faces are divided by it.
        embeds: whether the input of its last layer is an embedding.

    Raises:
        UserError: the file or the runtime cannot be had, or the file is no such graph.
    """
    path = assets.get(asset)
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError as error:
        raise UserError(
            f"{path.name} needs ONNX Runtime, which does not load ({error}): make setup, or pip "
            "install onnxruntime."
        ) from None
    onnxruntime.disable_telemetry_events()  # of its builds for Windows
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors, which are raised as well
    try:
        content = path.read_bytes()
        operation, features = last_layer(content)
        if embeds:
            content += extra_output(features)
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (
        ValueError,
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NotImplemented,
    ) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{path} is no graph that ONNX Runtime can read ({reason}).") from None
    (source,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    outputs = [names[0], features] if embeds else [names[0]]
    batches = not isinstance(source.shape[0], int)
    scale, offset = 1 / (255 * np.array(std)), -np.array(mean) / np.array(std)

    def look(faces: Faces) -> Seen:
        x = (faces * scale.astype("f4") + offset.astype("f4")).transpose(0, 3, 1, 2)
        steps = [0, len(x)] if batches else range(len(x) + 1)
        runs = [session.run(outputs, {source.name: np.ascontiguousarray(x[a:b])})
                for a, b in pairwise(steps)]  # fmt: skip
        answers, *embedding = (np.concatenate(of_all) for of_all in zip(*runs, strict=True))
        to_log = log_of if operation == "Softmax" else log_softmax
        answers[:, :words] = to_log(answers[:, :words])
        empty: NDArray[np.float32] = np.zeros((len(faces), 0), np.float32)
        return answers, next(iter(embedding), empty)

    return look


def last_layer(model: bytes) -> tuple[str, str]:
    """The operation of a serialised ONNX model's last node, and the name of its first input.

    Raises:
        ValueError: there is no node in it.
    """
    nodes = [
        node
        for number, graph in _fields(memoryview(model))
        if number == _MODEL_GRAPH
        for number, node in _fields(graph)
        if number == _GRAPH_NODE
    ]
    if not nodes:
        raise ValueError("it has no layers")
    fields = list(_fields(nodes[-1]))
    operations = [bytes(value).decode() for number, value in fields if number == _NODE_OP_TYPE]
    inputs = [bytes(value).decode() for number, value in fields if number == _NODE_INPUT]
    return next(iter(operations), ""), next(iter(inputs), "")


def extra_output(name: str) -> bytes:
    """What, appended to a serialised ONNX model, makes the tensor of a name an output."""
    tensor = bytes([_TENSOR_ELEMENT << 3, _FLOAT])
    value = field(_VALUE_NAME, name.encode())
    value += field(_VALUE_TYPE, field(_TYPE_TENSOR, tensor))
    return field(_MODEL_GRAPH, field(_GRAPH_OUTPUT, value))


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message: its tag, its length, its content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = [value >> 7 * k & 127 for k in range(max(1, -(-value.bit_length() // 7)))]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The numbers and contents of the fields that have a length; others are skipped."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(message):
                raise ValueError("it is cut off, or no protobuf message")
            byte, at = message[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    sizes = {1: 8, 5: 4}
    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
            continue
        if kind not in (1, 2, 5):
            raise ValueError("it is no protobuf message")
        size = varint() if kind == 2 else sizes[kind]
        if kind == 2:
            yield tag >> 3, message[at : at + size]
        at += size
