"""``facewave datasets add``: people's own tables in the forms that people have them."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from facewave import params
from making import REPOSITORY, write_video
from running import facewave

N = 24
FILES = [f"videos/{n:02d}.mp4" for n in range(N)]
WORDS = ["happy", "sad", "Angry", ""]
PEOPLE = [f"P{n % 6}" for n in range(N)]
Add = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips, each of its own content."""
    folder = tmp_path_factory.mktemp("videos")
    for n in range(N):
        write_video(folder / f"{n:02d}.mp4", 2 + n)
    return folder


@pytest.fixture
def add(
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Add:
    """Adds a table of some header and columns as ``ours``; the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(videos, tmp_path / "own/videos")

    def call(table: dict[str, Sequence[Any]], *more: str, mark: str = ",") -> tuple[int, str]:
        lines = [mark.join(table), *(mark.join(map(str, row)) for row in zip(*table.values()))]  # noqa: B905
        (tmp_path / "own/labels.csv").write_text("\n".join(lines) + "\n")
        code = facewave("datasets", "add", "ours", "own", "--table", "labels.csv", *more)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def entry() -> dict[str, Any]:
    content = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text("utf-8"))
    found: dict[str, Any] = content["datasets"]["ours"]
    return found


def test_columns_are_taken_for_what_they_are_called_and_hold(add: Add) -> None:
    table = {
        "Participant ID": PEOPLE,
        "File": FILES,
        "Emotion": [WORDS[n % 3].upper() if n == 4 else WORDS[n % 3] for n in range(N)],
        "valence": [n / N for n in range(N)],
        "Notes": ["good"] * N,
    }
    code, printed = add(table, mark=";")
    assert code == 0, printed
    assert entry() == {
        "reader": "table",
        "root": "own",
        "about": "ours: clips of our own",
        "table": "labels.csv",
        "columns": {
            "file_path": "File",
            "actual": "Emotion",
            "subject": "Participant ID",
            "valence": "valence",
        },
        "words": ["Angry", "happy", "sad"],
    }
    for sentence in (
        "column 'File': the clips' paths (100% are there)",
        "column 'Emotion': the label; 3 classes: Angry, happy, sad",
        "column 'Participant ID': subject (6 different)",
        "not used: Notes",
        "ours: 24 clips of 6 people, 5 folds",
        "ours: Angry 8, happy 8, sad 8",
        "params.yaml now has the entry datasets.ours",
    ):
        assert sentence in printed
    assert params.dataset(params.load(), "ours").reader == "table"
    before = Path("params.yaml").read_bytes()
    code, printed = add(table, mark=";")
    assert code == 2
    assert "has an entry datasets.ours. Choose another name" in printed
    assert Path("params.yaml").read_bytes() == before


def test_clips_are_found_by_name_or_pattern_and_codes_are_classes(add: Add) -> None:
    numbers = [f"{n:02d}" for n in range(N)]
    codes = [n % 3 + 1 for n in range(N)]
    code, printed = add({"number": range(N), "clip": numbers, "rating": codes}, "--label", "rating")
    assert code == 0, printed
    assert entry()["clips"] == "videos/{clip}.mp4"
    assert entry()["columns"] == {"video_idx": "clip", "actual": "rating"}
    assert entry()["words"] == ["1", "2", "3"]
    assert "no column says who is seen, so that folds may share people" in printed
    shutil.copy(REPOSITORY / "params.yaml", "params.yaml")
    pattern = ("--clips", "videos/{clip}.mp4", "--label", "phq", "--label", "gad")
    table = {"phq": range(N), "x": numbers, "gad": codes, "Arousal": [n / N for n in range(N)]}
    code, printed = add(table, *pattern, "--label", "Arousal")
    assert code == 0, printed
    assert entry()["columns"] == {
        "video_idx": "x",
        "score.phq": "phq",
        "actual": "gad",
        "arousal": "Arousal",
    }


def test_cells_are_read_as_the_reader_reads_them(add: Add) -> None:
    gone = ["NA", "nan", "."]
    table = {
        "file": FILES,
        "label": [gone[n // 8] if n % 8 == 7 else WORDS[n % 3] for n in range(N)],
        "stress": ["NA" if n == 3 else f"{n},5" for n in range(N)],
        "valence": [f"0,{n:02}" for n in range(N)],
        "person": ["NA", *PEOPLE[1:]],  # which may be a name
        "onset": ["0:00", *["0"] * (N - 1)],
        "offset": ["0:01", *["0.3"] * (N - 1)],
        "split": [("Train", "dev", "Test")[n % 3] for n in range(N)],
    }
    code, printed = add(table, "--label", "label", "--label", "stress", mark=";")
    assert code == 0, printed
    assert "not used" not in printed
    for sentence in (
        "column 'label': the label; 3 classes: Angry, happy, sad",
        "column 'stress': a number, to learn by regression",
        "column 'split': split (3 different)",
        "column 'person': subject (7 different)",
        "ours: 24 rows, 21 kept",
    ):
        assert sentence in printed
    assert {"valence", "start", "end", "split"} <= set(entry()["columns"])
    # Half of the whole numbers are missing: still codes.
    shutil.copy(REPOSITORY / "params.yaml", "params.yaml")
    codes = ["N/A" if n % 2 else n % 3 for n in range(N)]
    code, printed = add({"file": FILES, "label": codes}, mark=";")
    assert code == 0, printed
    assert entry()["words"] == ["0", "1", "2"]


def test_what_cannot_be_learnt_from_is_said_and_nothing_is_written(add: Add) -> None:
    labels = [WORDS[n % 3] for n in range(N)]
    before = Path("params.yaml").read_bytes()
    for table, more, message in (
        ({"file": ["a.mp4"] * N, "label": labels}, (), "no column names clips below own"),
        ({"file": FILES, "mood": labels}, (), "no column is called actual, label"),
        ({"file": FILES, "label": labels}, ("--label", "mood"), "has no column 'mood'"),
        ({"file": FILES, "label": ["x"] * N}, (), "has 1 class: there is nothing to tell apart"),
        ({"file": FILES, "label": [""] * N}, (), "has 0 classes"),
        ({"file": FILES * 3, "label": range(3 * N)}, ("--clips", "{clip}/x"), "Correct --clips"),
        (
            {"file": FILES * 3, "label": [f"text {n}" for n in range(3 * N)]},
            (),
            "has 72 different texts in 72 rows, too many for classes",
        ),
        (
            {"file": FILES, "label": labels, "split": ["train", "test"] * (N // 2),
             "person": ["P"] * N},
            (),
            "train and test share 1 subjects (P)",
        ),
    ):  # fmt: skip
        code, printed = add(table, *more)
        assert (code, message in printed) == (2, True), printed
        assert Path("params.yaml").read_bytes() == before
    assert facewave("datasets", "add", "a.b", "own", "--table", "labels.csv") == 2
    assert facewave("datasets", "add", "ours", ".", "--table", "own/labels.csv") == 2
    assert facewave("datasets", "add", "ours", "nowhere", "--table", "labels.csv") == 2
    assert facewave("datasets", "add", "ours", "own/videos", "--table", "own/labels.csv") == 2


def test_folds_that_cannot_be_filled_are_told(add: Add) -> None:
    few = {"file": FILES[:6], "label": WORDS[:3] * 2, "who": [1] * 6, "person": [1, 1, 2, 2, 3, 3]}
    code, printed = add(few)
    assert code == 0, printed
    assert "no folds, only a split, because the clips are of 3 subjects" in printed
    assert "Set train.partitions to [split]" in printed


def test_recordings_never_get_into_git(add: Add, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    Path(".gitignore").write_text("*.tmp")
    git("add", "own/videos/00.mp4")
    code, printed = add({"file": FILES, "label": [WORDS[n % 3] for n in range(N)]})
    assert code == 0, printed
    assert ".gitignore has /own/, so that no recording gets into git" in printed
    assert "git already has 1 files of it, such as own/videos/00.mp4" in printed
    assert Path(".gitignore").read_text("utf-8") == "*.tmp\n/own/\n"
    assert "own/" not in git("status", "--short", "--untracked-files=all").replace("A  own/", "")
