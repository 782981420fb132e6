"""Parts in the cache, written by hand: what follows of the whole, and what is not read."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facewave import assets, params, shards
from facewave.app.timeline import kept, parts, shots
from facewave.app.timeline.kept import FRAME, Seen
from facewave.app.timeline.recording import Kept, _whole, follow
from facewave.app.timeline.stretches import gaps, in_sight
from facewave.landmarks import schema
from facewave.landmarks.follow import Spot
from facewave.landmarks.people import Track
from facewave.landmarks.schema import ClipFacts
from making import REPOSITORY

HERE = Spot(100, 100, 50)
SMALL = np.zeros((0, 2, 2, 3), np.uint8)
SETTINGS = params.load(REPOSITORY / "params.yaml")


def keep(
    file: Path, times: Sequence[float], ends: Sequence[tuple[int, int]], declared: int
) -> None:
    """A part with one face throughout, in pieces from one frame to another."""
    frames = np.array([(n, time, 1) for n, time in enumerate(times)], FRAME)
    pieces = {
        number: Track(times[first], times[last], HERE, HERE, np.ones(432), 10, 0, np.ones((3, 3)))
        for number, (first, last) in enumerate(ends)
    }
    nothing = np.zeros(len(times), np.float32)
    counts = {number: last - first + 1 for number, (first, last) in enumerate(ends)}
    kept.write(file, Seen(
        ClipFacts(25.0, 640, 480, declared), 0.0, len(times), ("a",), frames,
        shots.Changes(nothing, nothing), (np.empty(0), SMALL), (np.empty(0), SMALL),
        pieces, dict.fromkeys(pieces, 0), counts, {n: c / 25 for n, c in counts.items()},
    ))  # fmt: skip


def whole(folder: Path, times: Sequence[float], ends: Sequence[tuple[int, int]]) -> Kept:
    keep(folder / "a.parquet", times, ends, declared=1000)
    return _whole(Path("a.mp4"), "ab", [folder / "a.parquet"], 5.0)


def test_nobody_is_in_sight_where_frames_are_missing(tmp_path: Path) -> None:
    times = [*np.arange(100) / 25, *(34 + np.arange(100) / 25)]
    made = whole(tmp_path, times, [(0, 99), (100, 199)])
    for spans, expected in (
        (in_sight(made, 0), [(0, 4), (34, 38)]),
        (gaps(made, 0), [(4, 34)]),
        (made.holes, [(4, 34)]),
    ):
        np.testing.assert_allclose(spans, expected)
    assert made.missing == 800
    assert len(made.shots) == 1
    # Pieces of a track are one where no frame is missing.
    unbroken = whole(tmp_path, (np.arange(200) / 25).tolist(), [(0, 99), (100, 199)])
    np.testing.assert_allclose(in_sight(unbroken, 0), [(0, 8)])
    assert len(unbroken.tracks) == 1
    assert unbroken.holes == ()


def test_a_single_frame_lasts_as_long_as_one(tmp_path: Path) -> None:
    still = whole(tmp_path, [0.0], [(0, 0)])
    assert still.duration == parts.STILL_S
    assert in_sight(still, 0) == [(0, parts.STILL_S)]
    assert still.shots[["start", "end"]].to_numpy().tolist() == [[0, parts.STILL_S]]


def test_parts_that_are_damaged_or_of_another_form_are_not_in_the_cache(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    keep(file, [0.0, 0.04], [(0, 1)], 2)
    with schema.shard(file, ("a",)):
        pass
    with shards.shard(
        kept.faces_of(file), lambda at: shards.Writer(at, kept.FACES, kept.WRITING)
    ) as writer:
        writer.end("a", {})
    assert kept.is_kept(file)
    with np.load(file.with_suffix(".npz")) as opened:
        content = dict(opened)
    for name in content:
        np.savez(file.with_suffix(".npz"), **{n: x for n, x in content.items() if n != name})
        assert not kept.is_kept(file), name
    np.savez(file.with_suffix(".npz"), **content | {"texts": np.array(["a"]), "header": np.ones(2)})
    assert not kept.is_kept(file)
    np.savez(file.with_suffix(".npz"), **content)
    assert kept.is_kept(file)
    file.write_bytes(b"PAR1")
    assert not kept.is_kept(file)


def test_what_a_killed_run_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ab" / "key.parquet"
    file.parent.mkdir()
    left = [
        file.with_name(f".key{end}") for end in (".parquet.x.parquet", "-faces.parquet.y.parquet")
    ]
    other = file.with_name(".other.parquet.x.parquet")
    for one in (*left, other):
        one.touch()
    monkeypatch.setattr(parts, "_look", lambda *_: None)
    parts.look(file, REPOSITORY / "data/raw/demo/clips/5.mp4", 25, None, Path(), SETTINGS,
               kept.VERSION)  # fmt: skip
    assert list(file.parent.iterdir()) == [other]


def test_the_progress_of_a_single_part_knows_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(file: Path, *given: object) -> None:
        tell = given[-1]
        if callable(tell):
            tell(1.5)
        file.parent.mkdir(parents=True, exist_ok=True)
        keep(file, [0.0, 0.04], [(0, 1)], 2)

    monkeypatch.setattr(parts, "look", look)
    monkeypatch.setattr(assets, "get", lambda asset: Path("a.task"))
    follow(REPOSITORY / "data/raw/demo/clips/5.mp4", 25.0, SETTINGS)
    assert re.search(r"follow faces: 100%.* 2/2 ", capsys.readouterr().err)
