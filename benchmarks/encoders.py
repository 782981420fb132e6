"""How fast encoders look at faces: ``python benchmarks/encoders.py [NAME ...]``.

Faces a second of each encoder whose weights are here, on one core or the GPU, one face at a time
and 32; and the share that this is of the bare inference loop, which gives the same network the same
faces, prepared beforehand, and drops its answers. FACEWAVE_ASSETS: the encoders' folder.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

from facewave import assets, on_torch
from facewave.appearance import encoders
from facewave.appearance.encoders import face_api
from facewave.appearance.encoders.encoder import Encoder
from facewave.errors import UserError, native_log_off

BATCHES = (1, 32)


def fer(_: Encoder, batch: int) -> Callable[[], object]:
    """LiteRT's own call."""
    from ai_edge_litert.interpreter import Interpreter

    from facewave.appearance.encoders.fer import ASSET

    with native_log_off():
        interpreter = Interpreter(str(assets.get(ASSET)), num_threads=1)
        source = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(source, (batch, 64, 64, 1))
        interpreter.allocate_tensors()
    interpreter.set_tensor(source, np.zeros((batch, 64, 64, 1), np.float32))
    return interpreter.invoke


def of_onnx(encoder: Encoder, batch: int) -> Callable[[], object]:
    """ONNX Runtime's own call."""
    import onnxruntime

    from facewave.appearance.encoders import emotiefflib, mobilefacenet

    module: Any = mobilefacenet if encoder.name == "mobilefacenet" else emotiefflib
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(assets.get(module.ASSET)), options)
    x = np.zeros((batch, 3, encoder.side, encoder.side), np.float32)
    return lambda: session.run(None, {session.get_inputs()[0].name: x})


def of_face_api(_: Encoder, batch: int) -> Callable[[], object]:
    """The blocks in torch."""
    network = face_api.Network()
    x = torch.rand((batch, 3, 112, 112), device=on_torch.device())
    x = x.contiguous(memory_format=torch.channels_last)

    def call() -> object:
        with on_torch.repeatable():
            return network.forward(x)

    return call


def speed(call: Callable[[], object], batch: int, seconds: float, device: str) -> float:
    """Faces a second: of the processor's time, which others' work does not lengthen, or a GPU's."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    call()
    calls, start = 0, clock()
    while (spent := clock() - start) < seconds:
        call()
        calls += 1
    return calls * batch / spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How fast encoders are.")
    bare = {
        "fer": fer,
        "face_api": of_face_api,
        "mobilefacenet": of_onnx,
        "enet_b0_8_va_mtl": of_onnx,
    }
    parser.add_argument("names", nargs="*", default=list(bare))
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of everything; medians are printed")
    given = parser.parse_args()
    print(f"{'':20} {'device':6} {'batch':>5} {'faces/s':>8} {'of bare':>8}")
    for name in given.names:
        encoder = encoders.load(name)
        for batch in BATCHES:
            rng = np.random.default_rng(0)
            faces = rng.integers(0, 256, (batch, encoder.side, encoder.side, 3), np.uint8)
            try:
                encoder(faces)
            except UserError as error:
                print(f"{name:20} {error}")
                break
            # Ratios are taken within a round: a machine that others share is slow for minutes.
            limit = bare[name](encoder, batch) if name in bare else None
            ours, shares = [], []
            for _ in range(given.rounds):
                timing = batch, given.seconds, encoder.device
                ours.append(speed(partial(encoder, faces), *timing))
                if limit:
                    shares.append(ours[-1] / speed(limit, *timing))
            share = f"{median(shares):8.2f}" if shares else f"{'':>8}"
            print(f"{name:20} {encoder.device:6} {batch:5} {median(ours):8.0f} {share}")


if __name__ == "__main__":
    main()
