"""Damaged input of every kind: ``python tests/support/fuzzing.py KIND FIRST COUNT``.

Each input follows from its kind and a number. A process of its own reads some of them, one after
the other, within limits of time and memory; it must give a result or a short reason for each.
"""

import contextlib
import io
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from facewave import functionals, marks, params, pictures, video
from facewave.errors import UserError
from facewave.labels import schema, sidecars
from facewave.labels.cleaning import FileFact
from facewave.labels.clips import inspect
from facewave.labels.collect import collect
from facewave.landmarks import tracks
from miniatures import CASES, MINIATURES
from running import ROOT
from tool_tables import libreface, live_link, mediapipe_json, openface, py_feat

LONGEST = 2000  # characters of a reason
SECONDS = 20  # for an input; most take milliseconds
MEMORY = 2 << 30  # bytes that a process may come to
_HARD_LIMIT = 12 << 30  # bytes of addresses, for the machine's sake

Rng = np.random.Generator
DEEP = 20_000
SPLINTERS = (
    *(b",", b";", b"\t", b"\n", b"\r", b'"', b"'", b"\0", b"_", b":", b"/", b"-", b"{}", b"[]"),
    *(b"NA", b"nan", b"inf", b"-1", b"1e999", b"1e-999", b"5" * 5000, b"../", b"=cmd()"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\xed\xa0\x80", b"\xc2\x85", "²٣\u202e😀".encode()),
    *(b"[" * DEEP, b'{"a":' * DEEP, b"x" * 300_000, b"\n" * 5000, b"\\ud800", b"\x1b[31m"),
)  # fmt: skip


def mutated(rng: Rng, content: bytes) -> bytes:
    """The content after one accident or two."""
    for _ in range(int(rng.integers(1, 3))):
        data = bytearray(content)
        at, to = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        to = min(to, at + int(rng.choice([4, 64, 5000])))
        match int(rng.integers(0, 9)):
            case 0 if data:
                for place in rng.integers(0, len(data), int(rng.integers(1, 30))).tolist():
                    data[place] ^= 1 << int(rng.integers(0, 8))
            case 1 if data:  # where sizes and counts stand
                for place in rng.integers(0, min(len(data), 1500), 8).tolist():
                    data[place] = int(rng.choice([0, 1, 127, 128, 255]))
            case 2:
                del data[int(rng.integers(0, len(data) + 1)) :]
            case 3:
                del data[at:to]
            case 4:
                data[at:at] = data[at:to]
            case 5:
                data[at:to] = bytes(to - at)
            case 6:  # moved
                piece = data[at:to]
                del data[at:to]
                data[(other := int(rng.integers(0, len(data) + 1))) : other] = piece
            case 7:
                data[at:at] = SPLINTERS[int(rng.integers(0, len(SPLINTERS)))]
            case _:
                numbers = list(re.finditer(rb"[0-9]+", data))
                if numbers:
                    number = numbers[int(rng.integers(0, len(numbers)))]
                    some = (b"0", b"-1", b"99999999999999999999", b"1e308", b"9" * 5000, b"", b"x")
                    data[number.start() : number.end()] = some[int(rng.integers(0, len(some)))]
        content = bytes(data)
    return content


def encoded(path: Path, codec: str, form: str = "yuv420p") -> bytes:
    """A small video, made once; its bytes."""
    if not path.exists():
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 64, 48, form
            for number in range(12):
                shade = np.full((48, 64, 3), 20 * number % 256, np.uint8)
                shade[10:30, number : number + 20] = (200, 120, 30)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
            container.mux(stream.encode(None))
    return path.read_bytes()


VIDEOS = {
    "h264.mp4": ("libx264",), "h264.mkv": ("libx264",), "mpeg4.avi": ("mpeg4",),
    "vp8.webm": ("libvpx",), "mpeg2.ts": ("mpeg2video",), "gif.gif": ("gif", "rgb8"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"), "flv.flv": ("flv",), "wmv.wmv": ("wmv2",),
    "ffv1.mkv": ("ffv1",), "mpeg1.mpg": ("mpeg1video",),
}  # fmt: skip


def videos(rng: Rng, folder: Path) -> str:
    """A video of some container, damaged, perhaps under the name of another."""
    names = list(VIDEOS)
    name, other = (names[int(at)] for at in rng.integers(0, len(names), 2))
    content = encoded(folder.parent / name, *VIDEOS[name])
    path = folder / (name if rng.random() < 0.8 else other)
    path.write_bytes(mutated(rng, content))
    marks.frame_times(path)
    return _look(path)


def _look(path: Path) -> str:
    fact = inspect(path.parent, [path.name])[path.name]
    clip = video.Clip(path, 25.0)
    assert clip.problem == fact.problem or not pictures.files_of(path)
    if not clip.problem:
        times = [time for _, time, _ in clip.frames()]
        assert times == sorted(set(times))
        video.Clip(path, 25.0).stills([0.0, 0.2])
    return clip.problem


STEMS = ("{}", "frame_{}", "{}_of_9", "{}.{}", "a{}b{}c", "2024-01-{}", "{}" * 20, "é{}",
         "\u202e{}", "😀{}", "{} copy", "-{}", "='{}'", '"{}"', "face {} 0", "{}\n", 
         "a\\{}", ".{}")  # fmt: skip


def folders(rng: Rng, folder: Path) -> str:
    """A folder of pictures with strange names and forms, some of them damaged; or one picture."""
    clip = folder / "clip"
    clip.mkdir()
    stem = STEMS[int(rng.integers(0, len(STEMS)))]
    for _ in range(int(rng.integers(0, 6))):
        number = int(rng.choice([0, 1, 7, 10, 1000, 10**15, int(rng.integers(0, 10**18))]))
        suffix = str(rng.choice([*pictures.PICTURES, ".JPG", ".txt", ".gif"]))
        made = str(rng.choice([".jpg", ".png", ".bmp", ".webp", ".tif", ".pgm"]))
        side = int(rng.choice([1, 2, 33]))
        channels = (side, side, 3) if made != ".pgm" else (side, side)
        content = cv2.imencode(made, rng.integers(0, 256, channels, np.uint8))[1].tobytes()
        content = mutated(rng, content) if rng.random() < 0.5 else content
        (clip / f"{stem.format(*[number] * 20)[:100]}{suffix}").write_bytes(content)
    if rng.random() < 0.2:
        (clip / "link.jpg").symlink_to("link.jpg")
    for picture in pictures.files_of(clip)[:1]:
        _look(picture)
    return _look(clip)


def labels(rng: Rng, folder: Path) -> str:
    """A corpus in small, one of its label files damaged, through stage clean."""
    name, damaged = CASES[int(rng.integers(0, len(CASES)))]
    miniature = MINIATURES[name]
    for file, content in miniature.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(mutated(rng, content) if file == damaged else content)
    entry = params.Dataset(root=str(folder), about="a test", **miniature.entry)  # type: ignore[arg-type]
    table, words = collect(entry, "fuzz", params.Labels(5, 0, 0.0, "exclude", 0.0, "exclude"))
    schema.write(folder / "labels.csv", table, words)
    assert len(schema.read(folder / "labels.csv")) == len(table)
    return ""


TABLES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "openface": (".csv", lambda path: openface(path, 4)),
    "py-feat": (".csv", lambda path: py_feat(path, [(0, 300.0, 0.9), (1, 300.0, 0.9)])),
    "libreface": (".csv", lambda path: libreface(path, range(4))),
    "mediapipe": (".json", lambda path: mediapipe_json(path, 3)),
    "live-link": (".csv", lambda path: live_link(path, range(4))),
    "columns": (".csv", lambda path: libreface(path, range(4))),
}


def tool_tables(rng: Rng, folder: Path) -> str:
    """Another tool's table, damaged, perhaps as another kind of file."""
    tool = str(rng.choice(list(TABLES)))
    suffix, make = TABLES[tool]
    path = make(folder / f"made{suffix}")
    if suffix == ".csv" and rng.random() < 0.3:
        table = pd.read_csv(path)
        path = folder / str(rng.choice(["made.parquet", "made.json"]))
        if path.suffix == ".parquet":
            table.to_parquet(path)
        else:
            table.to_json(path, orient="records")
    path.write_bytes(mutated(rng, path.read_bytes()))
    entry: Any = {"tool": tool, "fps": 25.0}
    if tool == "columns":
        entry |= {"frame": "frame_idx", "blocks": {"other": ["au_*"]}}
    tracks.read(path, params.Tracks(**entry), "largest")
    return ""


def features(rng: Rng, folder: Path) -> str:
    """A table of features, damaged."""
    kind = str(rng.choice([".csv", ".parquet", ".npy"]))
    path = folder / f"t{kind}"
    table = pd.DataFrame(rng.normal(0, 1, (5, 6)).round(4), columns=list("abcdef"))
    table.insert(0, "clip", [f"{at}.mp4" for at in range(5)])
    if kind == ".npy":
        np.save(path, table.iloc[:, 1:].to_numpy())
        path.with_suffix(".txt").write_text("".join(f"{at}.mp4\n" for at in range(5)))
    elif kind == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    path.write_bytes(mutated(rng, path.read_bytes()))
    functionals.read(folder, params.FeatureTable(path.name, "clip"))
    return ""


def _laughs(rng: Rng) -> str:
    width = int(rng.integers(2, 10))
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, 25)]
    return "\n".join(lines)


_WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 10**4000, 1e308, float("nan"), float("inf"), "", "x" * 100_000, [],
    {}, [[]], [1, "a"], {"a": {"b": 1}}, "\u202e", "\ud800", "=cmd", "{", "../..", "a\0b", {1: 2},
)  # fmt: skip


def settings(rng: Rng, folder: Path) -> str:
    """A params.yaml: damaged, with another value somewhere, or made to be slow."""
    text = (ROOT / "params.yaml").read_text("utf-8")
    path = folder / "params.yaml"
    match int(rng.integers(0, 4)):
        case 0:
            path.write_bytes(mutated(rng, text.encode()))
        case 1:
            bombs = (
                _laughs(rng), "[" * DEEP, "a: " + "{a: " * DEEP, "- " * DEEP, "&a [*a]",
                "? " * DEEP,
                "a: &a {b: *a}", "a: " + "5" * 100_000, "a: !!python/object:os.system x", "%YAML 9",
                "a: 1\n---\nb: 2", "\t- a", "a: !!binary x", "<<: 1", "a: 2024-99-99", "'" * DEEP,
                "!!set {a, b}", "!!omap [a: 1]", "a: 190:20:30", "!!timestamp x", "a: 0o9",
                "[a]: b",
                "a: 1e999999999", "{a: 1, a: 2}", "&a\n" * 1000, "a: |\n" + " x" * DEEP, "!" * DEEP,
            )  # fmt: skip
            bomb = bombs[int(rng.integers(0, len(bombs)))]
            path.write_text(text + "\n" + bomb if rng.random() < 0.3 else bomb, "utf-8")
        case _:
            yaml, written = YAML(typ="safe", pure=True), io.StringIO()
            content = yaml.load(text)
            place: Any = content
            while True:
                key = list(place)[int(rng.integers(0, len(place)))]
                if not isinstance(place[key], dict) or not place[key] or rng.random() < 0.2:
                    break
                place = place[key]
            value: Any = _WRONG[int(rng.integers(0, len(_WRONG)))]
            if rng.random() < 0.1:
                place[value if isinstance(value, str) else str(value)] = 1
            place[key] = value
            yaml.dump(content, written)
            path.write_bytes(written.getvalue().encode("utf-8", "surrogatepass"))
    params.load(path)
    return ""


_SUBTITLES = """WEBVTT

NOTE a note

1
00:00:00.000 --> 00:00:01.000 align:start
<v Ann>One &amp; two</v>

00:01.000 --> 00:02.000
{\\an8}three <00:01.500>four
"""
_BOMBS = ("<" * 200_000, "1" * 200_000 + "x", "&" * 200_000, "{\\" * 100_000, "-->" * 50_000,
          "00:00:00.000 --> " * 20_000, "1," * 100_000, " " * 500_000, "a\n" * 100_000,
          "<a" * 100_000, "00:00.000 --> 00:01.000\nword\n\n" * 5_000)  # fmt: skip


def texts(rng: Rng, folder: Path) -> str:
    """Subtitles or a text beside a clip."""
    suffix = str(rng.choice([".vtt", ".srt", ".txt"]))
    content = _SUBTITLES.encode()
    if rng.random() < 0.3:
        content += _BOMBS[int(rng.integers(0, len(_BOMBS)))].encode()
    (folder / f"a{suffix}").write_bytes(mutated(rng, content))
    raw = pd.DataFrame({"file_path": ["a.mp4"], "transcript": "", "start": 0.0, "end": 1.5,
                        "table": "t.csv"})  # fmt: skip
    sidecars.fill(raw, {"a.mp4": FileFact(exists=True)}, folder)
    return ""


# Each writes an input that follows from the generator, and reads it: a reason, or "" for a result.
KINDS: dict[str, Callable[[Rng, Path], str]] = {
    function.__name__: function
    for function in (videos, folders, labels, tool_tables, features, settings, texts)
}


@dataclass
class Tally:
    """What became of some inputs: how many gave what, and for each fault a line that repeats it."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def trial(kind: str, number: int, folder: Path) -> tuple[str, str]:
    """Read one input: what came of it, and the fault, "" for none."""
    rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
    printed, outcome, fault = io.StringIO(), "results", ""
    begun = time.monotonic()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            if reason := KINDS[kind](rng, folder):
                outcome = "reasons"
                print(reason)
        except UserError as error:
            outcome = "reasons"
            print(error)
        except Exception as error:  # noqa: BLE001 - what it is for
            import traceback

            place = traceback.extract_tb(error.__traceback__)
            ours = next((p for p in reversed(place) if "facewave" in p.filename), place[-1])
            fault = f"{type(error).__name__}: {str(error)[:200]} ({ours.filename}:{ours.lineno})"
    if (said := max(map(len, printed.getvalue().splitlines()), default=0)) > LONGEST and not fault:
        fault = f"{said} characters: {printed.getvalue()[:200]}"
    if (seconds := time.monotonic() - begun) > SECONDS / 2 and not fault:
        fault = f"{seconds:.0f} s"
    return outcome, fault


def main(kind: str, first: int, count: int) -> None:
    """Read inputs; print a line before and one after each."""
    resource.setrlimit(resource.RLIMIT_AS, (_HARD_LIMIT, _HARD_LIMIT))
    # On Linux a process begins with the peak of the one that started it.
    peak = max(MEMORY, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    with tempfile.TemporaryDirectory() as name:
        for number in range(first, first + count):
            print(json.dumps({"begun": number}), flush=True)
            signal.alarm(SECONDS)  # ends the process, whatever it is doing
            folder = Path(name, str(number))
            folder.mkdir()
            outcome, fault = trial(kind, number, folder)
            signal.alarm(0)
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if most > peak:
                fault, peak = fault or f"{most >> 20} MB", most
            print(json.dumps({"number": number, "outcome": outcome, "fault": fault}), flush=True)


def fuzz(kind: str, first: int, count: int) -> Tally:
    """Read inputs in processes of their own: one that dies costs only the input that it was at."""
    tally, end = Tally(), first + count
    while first < end:
        command = [sys.executable, __file__, kind, str(first), str(end - first)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for line in lines:
            if "outcome" in line:
                tally.counts["faults" if line["fault"] else line["outcome"]] += 1
                if line["fault"]:
                    tally.faults.append(f"{kind} {line['number']}: {line['fault']}")
        if not lines:
            raise RuntimeError(done.stderr[-2000:])
        if "begun" in lines[-1]:
            tally.counts["faults"] += 1
            tally.faults.append(
                f"{kind} {lines[-1]['begun']}: ended with {done.returncode} {done.stderr[-300:]}"
            )
        elif done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        first = (lines[-1]["begun"] if "begun" in lines[-1] else lines[-1]["number"]) + 1
    return tally


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
