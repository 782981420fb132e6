"""Checkpoints: what comes back, what is as good as none, and what writing may cost."""

import time
from pathlib import Path

import pytest
import torch

from facewave import models
from facewave.training.checkpoints import Checkpoint, Saved, digest, fingerprint

STATE = Saved(
    {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)},
    {"best_loss": 0.1 + 0.2, "history": [{"train_loss": float("inf")}]},
)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "split/model.safetensors"
    assert Checkpoint(path, "x").read() is None
    Checkpoint(path, "x").write(STATE)
    back = Checkpoint(path, "x").read()
    assert back is not None
    assert back.facts == STATE.facts | {"fingerprint": "x"}
    assert back.tensors.keys() == STATE.tensors.keys()
    assert all(torch.equal(back.tensors[name], STATE.tensors[name]) for name in STATE.tensors)


def test_another_fingerprint_is_as_good_as_none(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "a", "x").write(STATE)
    assert Checkpoint(tmp_path / "a", "y").read() is None


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_file_cut_short_is_as_good_as_none(tmp_path: Path, kept: int) -> None:
    Checkpoint(tmp_path / "a", "x").write(STATE)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:kept])
    assert Checkpoint(tmp_path / "a", "x").read() is None


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Checkpoint(tmp_path / name, "x").write(STATE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_writing_takes_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.0, 100.0, 103.0, 162.0, 164.0])  # writing takes 3 s
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    checkpoint = Checkpoint(tmp_path / "a", "x")
    due = [checkpoint.due]
    checkpoint.write(STATE)
    due += [checkpoint.due, checkpoint.due]  # 59 s and 61 s later
    assert due == [True, False, True]


def test_a_digest_tells_values_types_and_shapes_apart() -> None:
    one = torch.arange(6.0)
    found = {
        digest(some)
        for some in (
            [one],
            [one + 1e-6],
            [one.reshape(2, 3)],
            [one.double()],
            [one, one],
            [one.flip(0)],
            [],
        )
    }
    assert len(found) == 7
    assert digest([one.reshape(3, 2).T]) == digest([one.reshape(3, 2).T.contiguous()])


def test_a_fingerprint_is_of_data_settings_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fingerprint("a", 1) == fingerprint("a", 1)
    assert len({fingerprint("a", 1), fingerprint("b", 1), fingerprint("a", 2)}) == 3
    before = fingerprint("a", 1)
    (tmp_path / "heads.py").write_text("other code", "utf-8")
    monkeypatch.setattr(models, "__path__", [str(tmp_path)])
    assert fingerprint("a", 1) != before
