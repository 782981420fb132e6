"""Records of finished roles, and what their fingerprints are made of."""

import json
from pathlib import Path

import pytest
import torch

from facewave.training.checkpoints import ROOT, Finished, digest, fingerprint, remove_all_but


def test_a_role_is_finished_as_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, record = Path("trained"), ROOT / "1/model.json"
    model.mkdir()
    files = [model / name for name in ("config.json", "model.safetensors", "README.md")]
    for file in files:
        file.write_bytes(b"as trained")
    assert not Finished(1, "model", model, "a")
    Finished(1, "model", model, "a").write()
    assert Finished(1, "model", model, "a")
    assert Finished("1", "model", model, "a")
    for partition, role, mark in ((1, "model", "b"), (1, "logistic", "a"), (2, "model", "a")):
        assert not Finished(partition, role, model, mark)
    for file in files:
        file.write_bytes(b"changed")
        assert not Finished(1, "model", model, "a")
        file.unlink()
        assert not Finished(1, "model", model, "a")
        file.write_bytes(b"as trained")
    whole = record.read_bytes()
    for damage in (whole[:-9], b"", b"[]", json.dumps({"fingerprint": "a"}).encode()):
        record.write_bytes(damage)
        assert not Finished(1, "model", model, "a")


def test_only_other_folders_are_removed(tmp_path: Path) -> None:
    for name in ("split", "1", "2/model"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    remove_all_but(["split", "2"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"split", "2", "file"}
    assert (tmp_path / "2/model").is_dir()
    remove_all_but([], tmp_path / "nowhere")


def test_digests_and_fingerprints_are_of_data_settings_and_code(tmp_path: Path) -> None:
    x = torch.arange(6.0)
    variants: list[list[torch.Tensor]] = [[x], [x + 1e-6], [x.reshape(2, 3)], [x.double()]]
    variants += [[x, x], [x.flip(0)], []]
    assert len({digest(tensors) for tensors in variants}) == 7
    assert digest([x.reshape(3, 2).T]) == digest([x.reshape(3, 2).T.contiguous()])
    (tmp_path / "room").mkdir()
    code = [tmp_path / "room/heads.py", tmp_path / "fit.py"]
    seen = set()
    for text in ("x = 1", "x = 2"):
        for changed in code:
            for file in code:
                file.write_text(text if file == changed else "")
            seen.add(fingerprint("a", [tmp_path / "room", code[1]], 1))
    assert len(seen) == 4
    assert len({fingerprint("a", [], 1), fingerprint("b", [], 1), fingerprint("a", [], 2)}) == 3
    assert fingerprint("a", [], 1, "x") == fingerprint("a", [], 1, "x")
