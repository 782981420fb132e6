"""Processes of a language model's training: workers that are spawned, and what a run prints."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from facewave import params
from facewave.prompts.examples import Collator, Examples, gather
from facewave.workspace import Dataset
from language_project import KIND, write_project
from making_language import language_model
from running import ROOT

BAR = re.compile(r"(train|steps|answers|tiny-qwen2\.5-vl): +\d+%\|")


def test_spawned_workers_read_what_the_process_itself_would(tmp_path: Path) -> None:
    write_project(tmp_path)
    model = language_model(KIND, disturbed=False, faces=(10, (52,), 10))
    with chdir(tmp_path):
        loaded = params.load()
        settings = replace(loaded.train.language, picture="whole", sampling="random")
        clips = gather(Dataset("demo", loaded).clips(), ["blendshapes"], settings).select(range(4))
        shares_nC = torch.full((4, 2), 0.5).double().numpy()
        some = Examples(clips, clips.select([]), ("happy", "sad"), (), settings, 0, shares_nC)
        some.set_epoch(3)
        collator = Collator.of(model, answered=True)
        spawned = DataLoader(
            some, 2, collate_fn=collator, num_workers=1, multiprocessing_context="spawn"
        )
        for batch, rows in zip(spawned, ((0, 1), (2, 3)), strict=True):
            expected = collator([some[row] for row in rows])
            assert batch.keys() == expected.keys()
            for name, x in expected.items():  # without a face numbers are NaN
                torch.testing.assert_close(batch[name], x, rtol=0, atol=0, equal_nan=True)


def others(output: str) -> list[str]:
    """The lines of an output that are no progress bar's."""
    lines = re.split(r"[\r\n]", output.replace(r"\u001b[A", ""))  # a bar's step up, in a file
    return [line for line in map(str.strip, lines) if line and not BAR.match(line)]


def test_a_run_and_one_that_resumes_print_nothing_but_our_lines(tmp_path: Path) -> None:
    write_project(tmp_path, mode="finetune", frames=0, epochs=4, batch_size=4, accumulation=1)
    command = [sys.executable, "-m", "facewave.training"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    checkpoints = tmp_path / "models/checkpoints/split"
    with (tmp_path / "log").open("w") as log:
        first = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        deadline = time.monotonic() + 200
        # The second one: the first has been removed.
        while not any(
            int(folder.name.partition("-")[2]) > 9 for folder in checkpoints.glob("*/checkpoint-*")
        ):
            assert first.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
    second = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True
    )
    trained, cost = others(second.stdout)
    assert re.fullmatch(r"partition split: [\d,]+ of [\d,]+ parameters of .* 36 clips", trained)
    assert cost.startswith("partition split: answers to unrelated questions have ")
    assert others(second.stderr) == []
    assert set(others((tmp_path / "log").read_text())) <= {trained}
