"""What leaves a timeline: stretches, tables, subtitles, annotations, a picture."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facewave.app.timeline import annotations, picture, subtitles, tables
from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import gaps, in_sight, spoken, stretches
from facewave.targets import Target, number
from making_timeline import WORDS, recording, timeline

MS = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})")


def changed(made: Timeline, where: pd.Series, **values: Any) -> Timeline:
    """The timeline with other values in some windows."""
    windows = made.windows.copy()
    for name, value in values.items():
        windows.loc[where, name] = value
    return replace(made, windows=windows)


def test_stretches_end_with_the_word_and_with_sight_and_are_whole() -> None:
    made = timeline()
    found = stretches(made)
    assert found.drop(columns=["score", "reason"]).to_records(index=False).tolist() == [
        (0, 0.0, 9.0, "happy"),
        (0, 9.0, 12.0, "sad"),
        (0, 15.0, 24.0, "sad"),
        (1, 6.0, 20.0, "neutral"),
    ]
    np.testing.assert_allclose(found["score"], 0.62)
    assert in_sight(made.recording, 0) == [(0.0, 12.0), (15.0, 24.0)]
    assert gaps(made.recording, 0) == [(12.0, 15.0)]
    assert gaps(made.recording, 1) == [(0.0, 6.0), (20.0, 24.0)]

    # Windows without an answer are a stretch with the reason; the score is the windows' mean.
    late = (made.windows["person"] == 1) & (made.windows["start"] >= 12)
    nothing = changed(made, late, predicted="", answered_from="", reason="too blurred")
    nothing = changed(nothing, nothing.windows["start"] == 6, p_neutral=0.92)
    of_1 = stretches(nothing).query("person == 1")
    assert of_1["end"].tolist() == [13.0, 20.0]  # midway between the middles of 11 and 12
    assert of_1["word"].tolist() == ["neutral", ""]
    assert of_1["reason"].tolist() == ["", "too blurred"]
    answered = ((made.windows["person"] == 1) & ~late & (made.windows["predicted"] != "")).sum()
    assert of_1["score"].iloc[0] == pytest.approx(0.62 + 0.3 / answered)
    # What is answered without the face is not cut to where the face is.
    heard = changed(made, late, answered_from="voice", predicted="sad")
    last = stretches(heard).query("person == 1").iloc[-1]
    assert (last["start"], last["end"], last["word"]) == (13.0, 22.0, "sad")


def test_slivers_at_the_edges_of_sight_go_to_their_neighbour() -> None:
    made = timeline()
    tracks = made.recording.tracks.copy()
    tracks.loc[(tracks["person"] == 1) & (tracks["start"] == 6), "start"] = 7.75
    made = replace(made, recording=replace(made.recording, tracks=tracks))
    early = (made.windows["person"] == 1) & (made.windows["start"] < 7)
    made = changed(made, early, predicted="sad", answered_from="face")
    of_1 = stretches(made).query("person == 1")  # sad would have 7.75 to 8
    assert of_1[["start", "end", "word"]].to_numpy().tolist() == [[7.75, 20.0, "neutral"]]


def test_without_a_target_of_words_the_nearest_word_is_said_without_a_score() -> None:
    made = timeline(targets=(number("valence"), number("arousal")))
    found = stretches(made)
    assert found["word"].str.startswith("near ").all()
    assert found["score"].isna().all()
    assert spoken("near calm", float("nan")) == "near calm"
    assert " %" not in subtitles.srt(made)


def test_the_table_has_a_row_per_person_and_window_and_is_safe_to_open(tmp_path: Path) -> None:
    made = timeline(replace(recording(), path=Path("=talk().mp4")))
    tables.write_windows(made, tmp_path / "a.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"))))
    assert len(rows) == len(made.windows)
    assert rows[0]["file"] == "'=talk().mp4"
    assert rows[0]["sha256"] == made.recording.sha256
    assert [row["person"] for row in rows] == made.windows["person"].astype(str).tolist()
    assert float(rows[0]["predicted_valence"]) == pytest.approx(
        made.windows["predicted_valence"].iloc[0], abs=1e-4
    )


def test_the_json_is_whole_and_has_no_nan(tmp_path: Path) -> None:
    made = timeline()
    made = replace(made, whole=made.windows.head(1).assign(start=np.nan, end=np.inf))
    tables.write_all(made, tmp_path / "a.json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=refuse)
    counts = {"shots": 3, "people": 2, "tracks": 5, "stretches": 4, "whole": 1}
    assert {name: len(read[name]) for name in counts} == counts
    assert len(read["windows"]) == len(made.windows)
    assert read["people"][0]["gaps"] == [[12.0, 15.0]]
    assert read["people"][1]["spans"] == [[6.0, 20.0]]
    assert read["model"]["targets"][0]["names"] == list(WORDS)
    assert (read["window"], read["hop"], read["smooth"]) == (3.0, 1.0, 3.0)
    assert (read["whole"][0]["start"], read["whole"][0]["end"]) == (None, None)
    assert read["clip"] == {
        **{"fps": 25.0, "width": 640, "height": 480, "declared_frames": 600, "problem": ""},
        **{"duration": 24.0, "frames": 600},
    }


def cues(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Start and end (ms) and lines of each subtitle."""
    for block in re.split(r"\n\n", text.strip()):
        at = [line for line in block.splitlines() if "-->" in line]
        if at:
            hours, minutes, seconds, ms = np.array(MS.findall(at[0]), int).T
            start, end = (((hours * 60 + minutes) * 60 + seconds) * 1000 + ms).tolist()
            yield start, end, block.splitlines()[block.splitlines().index(at[0]) + 1 :]


def test_subtitles_have_exact_times_a_line_per_person_and_never_overlap() -> None:
    found = list(cues(subtitles.srt(timeline())))
    assert found == list(cues(subtitles.vtt(timeline())))
    assert [(start, end) for start, end, _ in found] == [
        *[(0, 6000), (6000, 9000), (9000, 12000), (12000, 15000), (15000, 20000), (20000, 24000)]
    ]
    assert found[1][2] == ["person 0: happy 62 %", "person 1: neutral 62 %"]
    assert found[3][2] == ["person 1: neutral 62 %"]
    blocks = subtitles.srt(timeline()).strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["1", "2", "3", "4", "5", "6"]
    assert blocks[1].splitlines()[1] == "00:00:06,000 --> 00:00:09,000"
    assert subtitles.vtt(timeline()).startswith("WEBVTT\n\nNOTE mlp")


def test_what_words_contain_breaks_no_subtitle_and_no_document(tmp_path: Path) -> None:
    nasty = "a <b>&\n\n9\n00:00:00,000 --> 00:00:01,000\x01"
    targets = (Target("classes", "words", (nasty, *WORDS)),)
    made = timeline(targets=(Target("classes", "words", WORDS),))
    windows = made.windows.rename(columns={"p_happy": f"p_{nasty}"}).assign(p_happy=0.0)
    windows["predicted"] = windows["predicted"].replace("happy", nasty)
    made = replace(made, windows=windows, targets=targets, model="m --> n\nWEBVTT\x01")
    for text in (subtitles.srt(made), subtitles.vtt(made)):
        assert len(list(cues(text))) == 6
        assert "<" not in text
        assert text.count("-->") == len(re.findall(r"^\d+:\S+ --> \d+:\S+$", text, re.MULTILINE))
    annotations.write_eaf(made, tmp_path / "a.eaf")
    texts = [node.text for node in ET.parse(tmp_path / "a.eaf").iter("ANNOTATION_VALUE")]
    assert [text for text in texts if text and text.startswith("a <b>&")]
    assert "\x01" not in (tmp_path / "a.eaf").read_text("utf-8")


def test_elans_document_refers_only_to_what_is_there_and_has_its_slots_in_order(
    tmp_path: Path,
) -> None:
    made = timeline(replace(recording(), path=tmp_path / "talk.mp4"))
    annotations.write_eaf(made, tmp_path / "out/talk.eaf")
    root = ET.parse(tmp_path / "out/talk.eaf").getroot()
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"]
    assert list(dict.fromkeys(child.tag for child in root)) == order
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.get("RELATIVE_MEDIA_URL") == "../talk.mp4"
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"])
             for slot in root.iter("TIME_SLOT")}  # fmt: skip
    assert list(slots.values()) == sorted(slots.values())
    ids = [node.attrib["ANNOTATION_ID"] for node in root.iter() if "ANNOTATION_ID" in node.attrib]
    assert len(ids) == len(set(ids))
    kinds = {kind.attrib["LINGUISTIC_TYPE_ID"] for kind in root.iter("LINGUISTIC_TYPE")}
    tiers: dict[str, list[tuple[Any, ...]]] = {}
    for tier in root.iter("TIER"):
        assert tier.attrib["LINGUISTIC_TYPE_REF"] in kinds
        assert tier.get("PARENT_REF", "shots") in [*tiers, "shots"]
        of_tier = tiers.setdefault(tier.attrib["TIER_ID"], [])
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            ends = [slots[one.attrib[f"TIME_SLOT_REF{side}"]] for side in (1, 2)]
            of_tier.append((*ends, one.findtext("ANNOTATION_VALUE")))
        for one in tier.iter("REF_ANNOTATION"):
            assert one.attrib["ANNOTATION_REF"] in ids
            of_tier.append((one.findtext("ANNOTATION_VALUE"),))
    assert tiers == {
        "shots": [(0, 6000, "shot 0"), (6000, 15000, "shot 1"), (15000, 24000, "shot 2")],
        "person 0 word": [(0, 9000, "happy"), (9000, 12000, "sad"), (15000, 24000, "sad")],
        "person 0 score": [("0.62",)] * 3,
        "person 0 gaps": [(12000, 15000, "out of sight")],
        "person 1 word": [(6000, 20000, "neutral")],
        "person 1 score": [("0.62",)],
        "person 1 gaps": [(0, 6000, "out of sight"), (20000, 24000, "out of sight")],
    }


def test_boris_gets_every_state_with_its_beginning_and_end(tmp_path: Path) -> None:
    made = timeline(replace(recording(), path=tmp_path / "talk.mp4"))
    annotations.write_boris(made, tmp_path / "out/talk.boris")
    project = json.loads((tmp_path / "out/talk.boris").read_text("utf-8"))
    (observation,) = project["observations"].values()
    assert observation["file"]["1"] == ["../talk.mp4"]
    assert observation["media_info"]["length"] == {"../talk.mp4": 24.0}
    kinds = {one["code"]: one["type"] for one in project["behaviors_conf"].values()}
    assert kinds == {
        **dict.fromkeys([*WORDS, "out of sight"], "State event"),
        "cut": "Point event",
    }
    events = observation["events"]
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    people = {one["name"] for one in project["subjects_conf"].values()} | {""}
    running: dict[tuple[str, str], float] = {}
    spans = []
    for time, who, code, _, _, _ in events:
        assert who in people
        if kinds[code] == "State event":
            if (who, code) in running:
                spans.append((who, code, running.pop((who, code)), time))
            else:
                running[who, code] = time
    assert not running
    assert len(spans) == 4 + 3
    assert ("person 0", "sad", 9.0, 12.0) in spans
    assert ("person 1", "out of sight", 20.0, 24.0) in spans
    assert [event[0] for event in events if event[2] == "cut"] == [6.0, 15.0]
    assert [event[4] for event in events if event[:3] == [0.0, "person 0", "happy"]] == [
        "happy 62 %"
    ]


@pytest.mark.slow
def test_the_picture_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        picture.write(timeline(), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert image.size[0] == 2112


def test_the_picture_shows_words_gaps_and_numbers() -> None:
    made = timeline()
    answered = made.windows[made.windows["answered_from"] != ""]
    figure = picture.draw(replace(made, windows=answered))
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == ["person 0: in sight for 88 %", "person 1: in sight for 58 %"]
    bands, numbers, plane = figure.axes[:3]
    assert [text.get_text() for text in bands.texts] == ["happy", "sad", "sad"]
    lines = {str(line.get_label()): line.get_xydata() for line in numbers.lines}
    assert set(lines) >= {"valence", "arousal"}
    assert np.isnan(np.asarray(lines["valence"])).any()  # broken where person 0 is away
    assert plane.get_xlabel() == ""
    assert figure.axes[4].get_xlabel() == "time (s)"
    nobody = replace(made.recording, tracks=made.recording.tracks.iloc[:0],
                     people=made.recording.people.iloc[:0])  # fmt: skip
    figure = picture.draw(replace(made, recording=nobody, windows=made.windows.iloc[:0]))
    (bands,) = figure.axes
    assert bands.get_title(loc="left") == ""
    (path,) = bands.collections[0].get_paths()
    assert path.get_extents().intervalx.tolist() == [0, 24]  # hatched from end to end
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["out of sight", "a cut"]
    long = timeline(recording(length=1200.0))
    assert picture.draw(long).axes[4].get_xlabel() == "time (min)"
