"""Transcripts beside clips: subtitles of every kind, plain text, and files that are neither."""

import math
import re
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import collect, schema, sidecars
from facewave.labels.cleaning import FileFact
from facewave.labels.records import Record, frame
from facewave.labels.sidecars import Cue
from facewave.params import Dataset, Labels
from making import write_video

THERE = FileFact(exists=True)
TWO_SRT = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:03,000 --> 00:00:04,500\nTwo.\n"


def records(*paths: str, **fields: Any) -> pd.DataFrame:
    return frame([Record("t.csv", i + 2, str(i), path, **fields) for i, path in enumerate(paths)])


def filled(root: Path, *paths: str, **fields: Any) -> list[str]:
    raw = records(*paths, **fields)
    return list(sidecars.fill(raw, dict.fromkeys(paths, THERE), root)["transcript"])


def whole(content: str) -> str:
    return sidecars.text_between(sidecars.parse(content, "a.vtt"), math.nan, math.nan)


def outcome(content: str) -> str:
    try:
        return whole(content)
    except UserError as error:
        return f"refused: {error}"


def test_cues_have_times_and_lines() -> None:
    assert sidecars.parse(TWO_SRT, "a.srt") == [Cue(1.0, 2.0, ("One.",)), Cue(3.0, 4.5, ("Two.",))]


def test_times_in_every_form() -> None:
    cases: list[tuple[str, tuple[float, float]]] = [
        ("01:02:03,004 --> 01:02:04,5", (3723.004, 3724.5)),
        ("02:03.004 --> 02:04.000", (123.004, 124.0)),
        ("100:00:00.000 --> 100:00:01.000", (360000.0, 360001.0)),
        ("00:01 --> 00:02", (1.0, 2.0)),
        ("  00:01.5-->00:02.25  ", (1.5, 2.25)),
        ("00:01.000 --> 00:02.000 align:start position:0% line:90%", (1.0, 2.0)),
        ("00:00:01,000 --> 00:00:02,000 X1:40 X2:600 Y1:20 Y2:50", (1.0, 2.0)),
    ]
    for timing, expected in cases:
        assert sidecars.parse(f"{timing}\nx\n", "a.srt") == [Cue(*expected, ("x",))]


def test_markup_goes_and_text_stays() -> None:
    for written, read in [
        ("<v Mary Ann>I know.</v>", "I know."),
        ("<c.yellow.bg_blue>a</c> <i>b</i> <lang en>c</lang>", "a b c"),
        ("one<00:00:01.500><c> two</c>", "one two"),
        ('<font color="#fff">a</font>{\\an8}b', "ab"),
        ("Fish &amp; chips&nbsp;&lt;3 &#39;x&#39;", "Fish & chips <3 'x'"),
        ("&lt;i&gt;", "<i>"),
        ("a < b and b > c {sic}", "a < b and b > c {sic}"),
        (" tab\tand   blanks\u2028and\x0bbreaks ", "tab and blanks and breaks"),
    ]:
        assert whole(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{written}\n") == read


def test_what_webvtt_has_beside_cues_is_not_said() -> None:
    content = (
        "WEBVTT Kind: captions; Language: en\nX-TIMESTAMP-MAP=LOCAL:00:00\n\n"
        "NOTE a\ncomment\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:fred\n\n"
        "NOTE\nof old:\n00:00.000 --> 00:01.000\nnever said\n\n"
        "intro\n00:01.000 --> 00:02.000\nNOTE this is said\n\na stray line\n\n"
    )
    assert whole(content) == "NOTE this is said"


def test_cues_are_found_in_every_form() -> None:
    times = "00:00:0{0},000 --> 00:00:0{1},000"
    numbers = f"1\n{times.format(1, 2)}\n42\n\n2\n{times.format(3, 4)}\n43\n"
    for content, text in [
        *((TWO_SRT.replace("\n", end), "One. Two.") for end in ("\n", "\r\n", "\r")),
        ("WEBVTT\n00:01.000 --> 00:02.000\nx\n", "x"),  # no empty line after the header
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n \nhello\n", "hello"),
        (numbers, "42 43"),
        ("00:05.0 --> 00:06.0\nlater\n\n00:01.0 --> 00:02.0\nfirst\n", "first later"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n<i> </i>\n\n00:02.000 --> 00:03.000\n", ""),
        *(("WEBVTT\n", ""), ("", ""), ("\n\n", "")),
    ]:
        assert whole(content) == text
    for between in ("\n", "\n  \n", "\n\n\n\n"):
        cues = [f"{n}\n{times.format(n, n + 1)}\nline {n}" for n in (1, 2, 3)]
        assert whole(between.join(cues)) == "line 1 line 2 line 3"


# As YouTube makes them: each line is shown again for 10 ms, and again above the next.
ROLLING = """WEBVTT
Kind: captions

00:00:00.000 --> 00:00:02.000 align:start position:0%
\x20
so<00:00:00.400><c> this</c><00:00:00.800><c> is</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
so this is
\x20

00:00:02.010 --> 00:00:04.000 align:start position:0%
so this is
how<00:00:02.500><c> it</c><00:00:03.000><c> rolls</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
how it rolls
\x20

00:00:04.010 --> 00:00:06.000 align:start position:0%
how it rolls
on
"""


def test_rolling_captions_are_joined_once() -> None:
    assert whole(ROLLING) == "so this is how it rolls on"
    assert sidecars.text_between(sidecars.parse(ROLLING, "a.vtt"), 2.5, 3.5) == "how it rolls"
    grows = ["I", "I am", "I am here", "now"]
    content = "".join(f"00:0{i}.0 --> 00:0{i + 1}.0\n{line}\n\n" for i, line in enumerate(grows))
    assert whole(content) == "I am here now"
    # Said twice, not shown twice.
    assert whole("00:01.0 --> 00:02.0\nNo.\n\n00:03.0 --> 00:04.0\nNo.\n") == "No. No."
    other = "00:01.0 --> 00:02.0\nWhat do you\n\n00:02.0 --> 00:04.0\nyou know\n"
    assert whole(other) == "What do you you know"
    stays = sidecars.parse("00:01.0 --> 00:02.0\nNo.\n\n00:02.0 --> 00:04.0\nNo.\n", "a.srt")
    assert stays == [Cue(1.0, 4.0, ("No.",))]


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(st.lists(words, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=6))
def test_subtitles_with_pauses_lose_and_repeat_nothing(lines: list[str]) -> None:
    cues = [
        f"{i}\n00:00:{2 * i:02},000 --> 00:00:{2 * i + 1:02},000\n{line}\n"
        for i, line in enumerate(lines)
    ]
    assert whole("\n".join(cues)) == " ".join(lines)


@given(st.text(alphabet="0123456789:,.->\n WEBVTNOab<v>&;{\\}\r\t\ufeff", max_size=80))
def test_whatever_is_there_is_read_or_refused_with_its_line(content: str) -> None:
    said = outcome(content)
    assert said == " ".join(said.split()) or re.match(r"refused: a\.vtt, line \d+: ", said)


def test_what_is_no_subtitle_is_refused_with_its_line() -> None:
    for content, line in [
        ("1\n00:00:01,000 -> 00:00:02,000\nx\n", 1),
        ("hello\n", 1),
        (TWO_SRT + "\n\nhello\nthere\n", 10),
        ("1\n00:00:01,000 --> soon\nx\n", 2),
        ("1\n00:00:03,000 --> 00:00:02,000\nx\n", 2),
        (TWO_SRT + "\n3\n00:00:aa,000 --> 00:00:07,000\nx\n", 10),
        ("one\ntwo\n00:00:01,000 --> 00:00:02,000\nx\n", 1),
        ("WEBVTT\n\n00:01.000 --> nonsense\nx\n", 3),
    ]:
        with pytest.raises(UserError, match=rf"^a\.srt, line {line}: .*Correct the subtitles"):
            sidecars.parse(content, "a.srt")


CUES = [Cue(0.0, 1.0, ("a",)), Cue(1.0, 2.0, ("b",)), Cue(2.0, 2.0, ("c",)), Cue(3.0, 4.0, ("d",))]


def test_a_part_takes_the_cues_that_overlap_it() -> None:
    for start, end, expected in [
        (math.nan, math.nan, "a b c d"),
        (0.5, 1.0, "a"),
        (1.0, 2.0, "b"),
        (2.0, 3.0, "c"),
        (math.nan, 1.5, "a b"),
        (1.5, math.nan, "b c d"),
        (2.5, 3.0, ""),
        (3.5, 3.6, "d"),
    ]:
        assert sidecars.text_between(CUES, start, end) == expected


# Files beside clips.


def test_only_the_clip_s_own_name_counts(tmp_path: Path) -> None:
    for name in ("a.b.txt", "b.vtt.txt", "A.txt", "c.mp4.txt", "p.txt"):
        (tmp_path / name).write_text(name)
    assert filled(tmp_path, "a.mp4", "b.mp4", "c.mp4", "a.b.mp4") == ["", "", "", "a.b.txt"]
    assert filled(tmp_path, "p.jpg", "p.PNG", "p.mp4") == ["", "", "p.txt"]  # pictures are silent
    assert filled(tmp_path, "n" * 255, "n" * 251 + ".mp4") == ["", ""]
    assert filled(tmp_path, "p.mp4", transcript="its own") == ["its own"]


def test_a_folder_of_pictures_has_it_beside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "clips/0.5").mkdir(parents=True)
    (tmp_path / "clips/0.5/0.txt").write_text("inside")
    (tmp_path / "clips/0.txt").write_text("another's")
    assert filled(tmp_path, "clips/0.5") == [""]
    (tmp_path / "clips/0.5.srt").write_text(TWO_SRT)
    assert filled(tmp_path, "clips/0.5") == ["One. Two."]


def test_subtitles_go_before_text_for_they_have_times(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert filled(tmp_path, "a.mp4", start=0.0, end=2.5) == ["text"]
    (tmp_path / "a.srt").write_text(TWO_SRT)
    assert filled(tmp_path, "a.mp4", start=0.0, end=2.5) == ["One."]
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.0 --> 00:02.0\nweb\n")
    assert filled(tmp_path, "a.mp4", start=0.0, end=2.5) == ["web"]


def test_rows_about_parts_of_one_file_have_their_own_parts(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(TWO_SRT)
    raw = records("a.mp4", "a.mp4", "a.mp4").assign(start=[0.0, 2.5, 9.0], end=[2.5, 5.0, 10.0])
    found = sidecars.fill(raw, {"a.mp4": THERE}, tmp_path)
    assert list(found["transcript"]) == ["One.", "Two.", ""]


def test_a_text_comes_on_one_line_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffOne  line,\r\n\r\n and <another>.\t\n".encode())
    (tmp_path / "b.srt").write_bytes(TWO_SRT.encode("utf-16"))
    assert filled(tmp_path, "a.mp4", "b.mp4") == ["One line, and <another>.", "One. Two."]


def test_clips_that_are_not_there_are_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("no subtitles")
    for fact in (FileFact(exists=False), FileFact(exists=True, problem="0 bytes")):
        found = sidecars.fill(records("a.mp4"), {"a.mp4": fact}, tmp_path)
        assert list(found["transcript"]) == [""]
    assert list(sidecars.fill(records("a.mp4"), {}, tmp_path)["transcript"]) == [""]


def test_what_cannot_be_read_gives_no_transcript_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.srt").write_text("no subtitles")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9 au lait")
    (tmp_path / "c.txt").write_text("milk")
    facts = {f"{name}.mp4": FileFact(exists=True) for name in "abc"}
    table = sidecars.fill(records(*facts), facts, tmp_path)
    assert table["transcript"].tolist() == ["", "", "milk"]
    first, second = capsys.readouterr().err.splitlines()
    assert "a.srt, line 1: " in first
    assert "b.txt is not UTF-8 (byte 3)" in second
    latin = sidecars.fill(records(*facts), facts, tmp_path, "latin-1")
    assert latin["transcript"].tolist() == ["", "caf\xe9 au lait", "milk"]


def test_a_long_row_of_digits_is_read_at_once() -> None:
    started = time.perf_counter()
    sidecars.is_annotation("1" * 100_000 + "x")
    assert time.perf_counter() - started < 0.5  # quadratic: 15 minutes


# Label files that a corpus, or a tool, keeps beside its clips.


def test_a_text_of_numbers_is_no_transcript(tmp_path: Path) -> None:
    for annotation in [
        "valence,arousal\n0.1,-0.2\n-5,-5\n",  # Aff-Wild2
        "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n4\n",
        "0 0.5 0.5 0.25 0.25\n",  # a box
        "3.0000000e+00\n",
        "frame,emotion\n1,happy\n2,happy\n",
        "0.0\t1.5\tsmile\n",
        "7\n",
    ]:
        (tmp_path / "a.txt").write_text(annotation)
        assert filled(tmp_path, "a.mp4") == [""]


def test_numbers_that_are_said_make_no_annotation(tmp_path: Path) -> None:
    for text in [
        "Route 66.", "It was 1999.", "10, 9, 8, go!", "Wait...\n...\nWhat?", "7 up", "No. 5\nYes",
    ]:  # fmt: skip
        (tmp_path / "a.txt").write_text(text)
        assert filled(tmp_path, "a.mp4") == [" ".join(text.split())]


def test_no_text_in_a_folder_of_label_files_is_a_transcript(tmp_path: Path) -> None:
    for name in ("labels/a.txt", "labels/b.txt", "clips/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("happy")
    (tmp_path / "labels/c.srt").write_text(TWO_SRT)
    paths = ("labels/a.mp4", "labels/b.mp4", "labels/c.mp4", "clips/a.mp4")
    raw = records(*paths).assign(table="labels/a.txt")
    found = sidecars.fill(raw, dict.fromkeys(paths, THERE), tmp_path)
    assert list(found["transcript"]) == ["", "", "One. Two.", "happy"]


SETTINGS = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")
AFFECT = ("valence,arousal", "0.1,0.2", "0.3,0.4")
EXPRESSIONS = ("Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other", "4", "4")


def write_annotations(root: Path, lines: tuple[str, ...]) -> None:
    for part, name in (("Train_Set", "a"), ("Validation_Set", "b")):
        (root / part).mkdir(parents=True)
        (root / part / f"{name}.txt").write_text("\n".join(lines) + "\n")


def collected(root: Path, clips: str) -> list[str]:
    entry = Dataset(
        reader="aff_wild2", root=str(root), about="a test", track="va", clips=clips, window=0.02
    )
    table, _ = collect.collect(entry, "wild", SETTINGS)
    assert set(schema.single_label(table)["file_path"]) == {
        clips.format(video=name) for name in "ab"
    }
    return list(table["transcript"])


def test_annotations_of_any_track_beside_clips_are_no_transcripts(tmp_path: Path) -> None:
    write_annotations(tmp_path / "VA_Set", AFFECT)
    write_annotations(tmp_path / "EXPR_Set", EXPRESSIONS)
    for beside in ("VA_Set", "EXPR_Set"):
        for i, name in enumerate("ab"):
            write_video(tmp_path / beside / f"Train_Set/{name}.mp4", 12 + i)
        assert set(collected(tmp_path, f"{beside}/Train_Set/{{video}}.mp4")) == {""}


def test_subtitles_beside_clips_are_found_through_a_reader(tmp_path: Path) -> None:
    write_annotations(tmp_path / "VA_Set", AFFECT)
    for i, name in enumerate("ab"):
        write_video(tmp_path / f"clips/{name}.mp4", 12 + i)
    frames = "WEBVTT\n\n00:00.000 --> 00:00.020\nfirst\n\n00:00.020 --> 00:00.060\nnext\n"
    (tmp_path / "clips/a.vtt").write_text(frames)
    (tmp_path / "clips/b.txt").write_text("Of the whole clip.\n")
    text = ["first", "next", "Of the whole clip.", "Of the whole clip."]
    assert collected(tmp_path, "clips/{video}.mp4") == text
