"""The landmarker's models in torch, for many inputs at a time: what a GPU is for.

The operators of each .tflite file are run one after another. Tensors keep TFLite's order of axes
(batch, height, width, channels), weights become float32. The first axis is the batch: the files
have a 1 there, and every operator leaves it as long as it is. What operators do and their options
mean is in TensorFlow's ``schema.fbs``, which LiteRT brings along.
"""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facewave.landmarks.engines.litert import FILES, read_canonical
from facewave.landmarks.engines.tracker import ModelName

_MOST = 256  # inputs at a time: a GB of a GPU's memory
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items()}
_TYPES = {
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
}
_ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {
    schema.ActivationFunctionType.NONE: lambda x: x,
    schema.ActivationFunctionType.RELU: torch.relu,
}


class Models:
    """The models of a landmarker's file on a device of torch; they answer as ``litert.Models`` do.

    Attributes:
        canonical: the standard face of the same file.

    Raises:
        ValueError: an operator in the file is not among ``_OPERATORS``.
    """

    def __init__(self, model: bytes, device: str) -> None:
        self.canonical = read_canonical(model)
        with zipfile.ZipFile(io.BytesIO(model)) as files:
            self._graphs = {name: Graph(files.read(file), device) for name, file in FILES.items()}

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a model, in its file's order, for n inputs (n, ...): each (n, values)."""
        batches = [inputs[at : at + _MOST] for at in range(0, len(inputs), _MOST)]
        answers = [self._graphs[name](batch) for batch in batches]
        return [np.concatenate(outputs) for outputs in zip(*answers, strict=True)]


class Graph:
    """A .tflite file whose one input and whose outputs are floats.

    Raises:
        ValueError: an operator in the file is not among ``_OPERATORS``.
    """

    def __init__(self, content: bytes, device: str) -> None:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        (graph,) = model.subgraphs
        (self._input,), self._outputs = graph.inputs, graph.outputs.tolist()
        self._device = device
        self._constants: dict[int, Tensor | None] = {-1: None}  # an input that is left out
        for index, tensor in enumerate(graph.tensors):
            data = model.buffers[tensor.buffer].data
            if data is not None:
                shape = [] if tensor.shape is None else tensor.shape
                values = np.frombuffer(data.tobytes(), _TYPES[tensor.type]).reshape(shape)
                # Axes and sizes (integers) are read by Python.
                kind = "cpu" if tensor.type == schema.TensorType.INT32 else device
                self._constants[index] = torch.tensor(values, device=kind)
        last_use: dict[int, int] = {}
        self._steps: list[_Step] = []
        for operator in graph.operators:
            step = _Step(model, graph, operator)
            if all(index in self._constants for index in step.inputs):  # weights kept as float16
                self._constants[step.output] = step(self._constants)
            else:
                last_use |= dict.fromkeys(step.inputs, len(self._steps))
                self._steps.append(step)
        for index in last_use.keys() - self._constants.keys() - set(self._outputs):
            self._steps[last_use[index]].last_used.append(index)

    def __call__(self, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for n inputs (n, ...): each (n, values)."""
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
        ):
            tensors = dict(self._constants)
            tensors[self._input] = torch.from_numpy(inputs).to(self._device)
            for step in self._steps:
                tensors[step.output] = step(tensors)
                for index in step.last_used:
                    del tensors[index]
            outputs = [tensors[index] for index in self._outputs]
            return [
                out.reshape(len(inputs), -1).cpu().numpy() for out in outputs if out is not None
            ]


class _Step:
    """A call of an operator."""

    def __init__(self, model: Any, graph: Any, operator: Any) -> None:
        code = model.operatorCodes[operator.opcodeIndex]
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        activation = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
        if name not in _OPERATORS or activation not in _ACTIVATIONS:
            raise ValueError(f"a model has the operator {name} (activation {activation}), which is "
                             "not known here: set landmarks.device to cpu")  # fmt: skip
        self._run, self._activate = _OPERATORS[name], _ACTIVATIONS[activation]
        self._options, self.inputs = operator.builtinOptions, operator.inputs.tolist()
        (self.output,) = operator.outputs.tolist()
        self._shape = np.ravel(graph.tensors[self.output].shape).tolist()
        self.last_used: list[int] = []

    def __call__(self, tensors: dict[int, Tensor | None]) -> Tensor:
        arguments = [tensors[index] for index in self.inputs]
        return self._activate(self._run(self._options, self._shape, *arguments))


def _conv(options: Any, _: object, x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Weights (out, height, width, in)."""
    return _convolved(options, x, weights.permute(0, 3, 1, 2), bias, 1)


def _depthwise(options: Any, _: object, x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Weights (1, height, width, out); each channel of the input has outputs of its own."""
    return _convolved(options, x, weights.permute(3, 0, 1, 2), bias, x.shape[-1])


def _convolved(
    options: Any, x: Tensor, weights: Tensor, bias: Tensor | None, groups: int
) -> Tensor:
    stride = (options.strideH, options.strideW)
    dilation = (options.dilationHFactor, options.dilationWFactor)
    spans = [d * (size - 1) + 1 for d, size in zip(dilation, weights.shape[2:], strict=True)]
    x = _padded(options, x, spans, 0.0).permute(0, 3, 1, 2)
    out = functional.conv2d(x, weights, bias, stride, 0, dilation, groups)
    return out.permute(0, 2, 3, 1)


def _max_pool(options: Any, _: object, x: Tensor) -> Tensor:
    size = [options.filterHeight, options.filterWidth]
    x = _padded(options, x, size, -torch.inf).permute(0, 3, 1, 2)
    return functional.max_pool2d(x, size, (options.strideH, options.strideW)).permute(0, 2, 3, 1)


def _padded(options: Any, x: Tensor, spans: list[int], value: float) -> Tensor:
    """With the margins of padding SAME: outputs = ceil(inputs / stride); an odd one at the end."""
    if options.padding != schema.Padding.SAME:
        return x
    margins = [0, 0]
    for axis, span, stride in ((2, spans[1], options.strideW), (1, spans[0], options.strideH)):
        total = max(0, (-(-x.shape[axis] // stride) - 1) * stride + span - x.shape[axis])
        margins += [total // 2, total - total // 2]
    return functional.pad(x, margins, value=value) if any(margins) else x


def _prelu(_: object, __: object, x: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (1, 1, channels)."""
    return functional.prelu(x.movedim(-1, 1), slopes.flatten()).movedim(1, -1)


def _concatenated(options: Any, _: object, *parts: Tensor) -> Tensor:
    """A constant part is the same for the whole batch."""
    n = max(map(len, parts))
    return torch.cat([part.expand(n, *part.shape[1:]) for part in parts], options.axis)


def _slice(options: Any, _: object, x: Tensor, begin: Tensor, end: Tensor, steps: Tensor) -> Tensor:
    """Of all axes but the batch's."""
    index: list[slice | int] = [slice(None)]
    for axis, (start, stop, step) in enumerate(torch.stack([begin, end, steps], 1).tolist()):
        first = None if options.beginMask >> axis & 1 else start
        past = None if options.endMask >> axis & 1 else stop
        if axis:
            shrinks = options.shrinkAxisMask >> axis & 1
            index.append(start if shrinks else slice(first, past, step))
    return x[tuple(index)]


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "ADD": lambda _, __, a, b: a + b,
    "CONCATENATION": _concatenated,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": lambda _, __, x: x.float(),
    "DIV": lambda _, __, a, b: a / b,
    "LOGISTIC": lambda _, __, x: x.sigmoid(),
    "MAX_POOL_2D": _max_pool,
    "MEAN": lambda options, _, x, axes: x.mean(axes.flatten().tolist(), options.keepDims),
    "MUL": lambda _, __, a, b: a * b,
    "NEG": lambda _, __, x: -x,
    "PAD": lambda _, __, x, margins: functional.pad(x, margins.flip(0).flatten().tolist()),
    "PRELU": _prelu,
    "RELU": lambda _, __, x: x.relu(),
    "RESHAPE": lambda _, shape, x, *__: x.reshape(len(x), *shape[1:]),
    "RSQRT": lambda _, __, x: x.rsqrt(),
    "SQRT": lambda _, __, x: x.sqrt(),
    "SQUARED_DIFFERENCE": lambda _, __, a, b: (a - b).square(),
    "STRIDED_SLICE": _slice,
    "SUB": lambda _, __, a, b: a - b,
    "SUM": lambda options, _, x, axes: x.sum(axes.flatten().tolist(), options.keepDims),
    "TRANSPOSE": lambda _, __, x, axes: x.permute(axes.tolist()),
}
"""Each takes its options, its output's shape in the file, and its inputs."""
