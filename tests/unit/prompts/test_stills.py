"""Whole frames: a clip is decoded once, whatever is shown of it, and shown the same ever after."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facewave import params
from facewave.params import Language
from facewave.prompts import stills
from facewave.prompts.examples import Collator, Examples, PromptClips, gather
from facewave.video import Clip
from facewave.workspace import Dataset
from language_project import KIND, write_project
from making import write_video
from making_language import language_model

N = 4


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PromptClips]:
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    with chdir(folder):
        loaded = params.load()
        some = Dataset("demo", loaded).clips().select(range(1, 1 + N))
        yield gather(some, ["blendshapes"], loaded.train.language)


@pytest.fixture
def settings(clips: PromptClips) -> Language:
    whole = replace(params.load().train.language, picture="whole", sampling="random", examples=1)
    return replace(whole, frames=3)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The clips that have been opened to be decoded."""
    paths: list[Path] = []

    class Watched(Clip):
        def __init__(self, path: Path, fps: float) -> None:
            paths.append(path)
            super().__init__(path, fps)

    monkeypatch.setattr(stills, "Clip", Watched)
    return paths


def asking(clips: PromptClips, settings: Language) -> Examples:
    return Examples(clips, clips.select([0, 1]), ("happy", "sad"), (), settings, seed=0)


def pictures(examples: Examples, epoch: int = 0) -> list[NDArray[np.uint8]]:
    """Those shown of each clip, (F, h, w, 3)."""
    examples.set_epoch(epoch)
    return [np.stack(examples[row].turns[-1].pictures) for row in range(N)]


def test_a_clip_is_decoded_once_for_all_epochs_a_prior_and_another_model(
    clips: PromptClips, settings: Language, opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = asking(clips, settings), asking(clips, settings)
    shown = [pictures(first, epoch) for epoch in range(3)]
    blank = pictures(first.blanks())
    again = pictures(second)
    assert sorted(opened) == sorted(clips.clips.root / path for path in clips.table["file_path"])
    assert any(not np.array_equal(*pair) for pair in zip(shown[0], shown[1], strict=True))
    assert all((picture == 128).all() for picture in blank)
    # From the cache as if decoded now, by another process that has none.
    monkeypatch.setenv("FACEWAVE_CACHE", str(clips.clips.root / "elsewhere"))
    decoded = pictures(asking(clips, settings))
    assert len(opened) == 2 * N
    for one in (again, decoded):
        assert all(np.array_equal(*pair) for pair in zip(shown[0], one, strict=True))


def test_random_frames_are_of_each_part_and_of_four_moments_in_it(
    clips: PromptClips, settings: Language
) -> None:
    some = asking(clips, replace(settings, frames=2))
    shown = np.stack([pictures(some, epoch)[0] for epoch in range(40)])
    different = [{picture.tobytes() for picture in shown[:, part]} for part in (0, 1)]
    assert [len(of_part) for of_part in different] == [4, 4]
    assert not different[0] & different[1]


def test_what_is_damaged_is_made_again_and_what_cannot_be_decoded_is_not_kept(
    tmp_path: Path, cache: Path, opened: list[Path]
) -> None:
    clip, times = tmp_path / "clip.mp4", np.array([0.0, 0.2])

    def kept() -> list[Path]:
        return sorted((cache / "stills").rglob("*.parquet"))

    def ask(key: str = "a") -> list[bytes]:
        return stills.stills(clip, key, 25, 0.0, times, 32)

    clip.write_text("no video")
    ask()
    assert not kept()
    write_video(clip)
    whole = ask()
    (file,) = kept()
    content = file.read_bytes()
    damages: list[Callable[[bytes], bytes]] = [
        lambda content: content[:40],  # as a power cut leaves it
        lambda content: content[:200] + b"\0\0\0\0" + content[204:],
        lambda content: b"",
    ]
    for damage in damages:
        file.write_bytes(damage(content))
        assert ask() == whole
        assert file.read_bytes() == content
    assert len(opened) == 2 + len(damages)
    assert ask("b") == whole  # another clip
    assert len(kept()) == 2
    clip.unlink()
    assert ask() == whole


def test_clips_and_what_makes_inputs_of_them_can_be_sent_to_workers(
    clips: PromptClips, settings: Language
) -> None:
    model = language_model(KIND, disturbed=False, faces=(10, (52,), 10))
    examples, collator = asking(clips, settings), Collator.of(model, answered=True)
    sent = pickle.dumps((examples, collator))
    weights = sum(weight.numel() for weight in model.parameters())
    assert len(pickle.dumps(collator)) < weights  # a backbone would be gigabytes
    others: tuple[Examples, Collator] = pickle.loads(sent)
    here, there = (make([some[0], some[1]]) for some, make in ((examples, collator), others))
    assert here.keys() == there.keys() >= {"labels", "weights_n", "numbers_nSKD"}
    assert all(torch.equal(here[name], there[name]) for name in here)
