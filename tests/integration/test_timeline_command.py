"""``facewave timeline`` and ``facewave segment`` as a person runs them, on spliced recordings."""

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave.app.canvas import Picture, encode
from facewave.app.draw import suffix
from facewave.labels.__main__ import main as clean
from facewave.landmarks.__main__ import main as extract
from facewave.video import Clip
from running import ROOT, facewave

Capture = pytest.CaptureFixture[str]
CLIPS = ROOT / "data/raw/demo/clips"
FORMATS = "csv,json,srt,vtt,eaf,boris,png,video"


def pictures(name: str, count: int = 0) -> list[Picture]:
    """A demo clip's frames, repeated forwards and backwards up to ``count``."""
    found = [
        frame.picture for frame in Clip(CLIPS / name, 25).frames() if frame.picture is not None
    ]
    there_and_back = found + found[-2:0:-1]
    return [there_and_back[t % len(there_and_back)] for t in range(count or len(found))]


pytestmark = pytest.mark.usefixtures("in_project")


def recording() -> Iterator[tuple[float, Picture]]:
    """Somebody for 4 s; nobody for 2 s; that person again, beside another, for 4 s."""
    alone, other = pictures("21.mp4", 100), pictures("5.mp4", 100)
    shown = [np.hstack([picture, picture[:, :1].repeat(224, 1)]) for picture in alone]
    shown += [np.full_like(shown[0], 90)] * 50
    shown += [np.hstack(pair) for pair in zip(alone, other, strict=True)]
    for t, picture in enumerate(shown):
        yield t / 25, cv2.resize(picture, None, fx=2, fy=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, landmarker: Path, encoder: Path) -> Path:
    """A project with a recording, and a video that cannot be decoded."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "talks").mkdir()
    encode(recording(), folder / "talks/talk.mp4")
    (folder / "talks/bad.mp4").write_bytes(b"no video")
    shutil.copy(ROOT / "params.yaml", folder)
    for asset in (landmarker, encoder):
        (folder / "assets").mkdir(exist_ok=True)
        (folder / "assets" / asset.name).symlink_to(asset)
    return folder


@pytest.fixture
def in_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """We are in it, with one cache for all tests: what was detected is not detected again."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACEWAVE_CACHE", str(folder / "cache"))
    monkeypatch.setenv("FACEWAVE_ASSETS", os.environ.get("FACEWAVE_ASSETS", str(folder / "assets")))


def test_a_recording_becomes_every_kind_of_file_and_one_that_fails_stops_it_not(
    folder: Path, capfd: Capture
) -> None:
    words = ("timeline", "talks/bad.mp4", "talks/talk.mp4", "--out", "made", "--format", FORMATS)
    assert facewave(*words) == 1
    printed = capfd.readouterr()
    told = printed.out
    assert re.search(r"talks/talk\.mp4: 10\.00 s, 250 frames, \d shots, 2 people", told), told
    assert "\ntalks/bad.mp4: not a video" in printed.err  # named once
    assert re.search(r"10\.0 s of video in [\d.]+ s, [\d.]+ times real time", told)
    made = folder / "made/talk.timeline"
    assert sorted(file.suffix for file in made.iterdir()) == sorted(
        [".csv", ".json", ".srt", ".vtt", ".eaf", ".boris", ".png", ".mp4"]
    )
    table = pd.read_csv(made / "talk.csv")
    assert set(table["person"]) == {0, 1}
    usable = table[table["usable"]]
    assert (usable["answered_from"] == "face").all()
    assert usable[["predicted_valence", "predicted_arousal"]].abs().to_numpy().max() <= 1
    everything = json.loads((made / "talk.json").read_text("utf-8"))
    one, other = everything["people"]
    assert [round(edge) for span in one["spans"] for edge in span] == [0, 4, 6, 10]
    assert [round(edge) for span in other["spans"] for edge in span] == [6, 10]
    assert everything["stretches"]
    slots = [
        int(slot.attrib["TIME_VALUE"]) for slot in ET.parse(made / "talk.eaf").iter("TIME_SLOT")
    ]
    assert slots == sorted(slots)
    assert slots[-1] == 10_000
    (observation,) = json.loads((made / "talk.boris").read_text("utf-8"))["observations"].values()
    assert (made / observation["file"]["1"][0]).resolve() == (folder / "talks/talk.mp4").resolve()
    seen = [frame.time for frame in Clip(made / f"talk{suffix()}", 25).frames()]
    np.testing.assert_allclose(seen, np.arange(250) / 25, atol=1e-3)

    others = "csv,json,srt,vtt,png,video"  # .eaf and .boris name the video's place from theirs
    assert facewave("timeline", "talks/talk.mp4", "--format", others, "--out", "again") == 0
    for file in (folder / "again").iterdir():
        assert file.read_bytes() == (made / file.name).read_bytes(), file.name


def test_cuts_that_people_label_go_through_the_stages_each_with_its_own_frames(
    folder: Path, capfd: Capture
) -> None:
    words = ("segment", "talks/talk.mp4", "--out", "talks/cuts.csv", "--from", "people")
    assert facewave(*words, "--least", "1", "--most", "2") == 0
    told = capfd.readouterr().out
    assert "left out: 2 cuts" in told, told
    table = folder / "talks/cuts.csv"
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["subject"] for row in rows} == {"talk-0"}
    for row, word in zip(rows, ["calm", "cross", "calm", "cross"], strict=True):
        row["actual"] = word
    pd.DataFrame(rows).to_csv(table, index=False)
    assert facewave("datasets", "add", "talks", "talks", "--table", "cuts.csv") == 0
    assert "not used: suggested, suggested_score" in capfd.readouterr().out
    clean("talks")
    extract("talks")
    index = pd.read_csv(folder / "data/landmarks/talks/index.csv")
    assert index["start"].tolist() == [float(row["start"]) for row in rows]
    assert index["end"].tolist() == [float(row["end"]) for row in rows]
    assert index["key"].nunique() == 1  # detected once
    assert index["usable"].all()
    assert (index["frames"] - 50).abs().max() <= 1
    assert index["frames"].sum() == pytest.approx(200, abs=4)


def test_every_person_can_be_cut_out(folder: Path, capfd: Capture) -> None:
    words = ("segment", "talks/talk.mp4", "--out", "talks/everybody.csv", "--most", "4")
    assert facewave(*words, "--videos", "talks/cuts") == 0
    assert "left out" not in capfd.readouterr().out
    table = pd.read_csv(folder / "talks/everybody.csv")
    assert sorted(table["subject"]) == ["talk-0", "talk-0", "talk-1"]
    assert set(table["source"]) == {"talk"}
    assert (table["from_end"] - table["from_start"]).to_numpy() == pytest.approx(4, abs=0.1)
    for path in table["file_path"]:
        assert sum(1 for _ in Clip(folder / "talks" / path, 25).frames()) in (99, 100, 101)
    assert len(list((folder / "talks/cuts").rglob("*.mp4"))) == 3
