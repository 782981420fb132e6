"""Listening as real processes: killed, two at once; the same bytes; an hour in bounded memory."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facewave.voice.schema import KIND
from making import contents, toy, write_labels, write_params
from running import ROOT
from sounding import noise, tone, write_sound

CLIPS = 40


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Clips of a second, and their labels."""
    folder = tmp_path / "project"
    folder.mkdir()
    write_params(folder)
    made = toy()
    table = made.table.iloc[:CLIPS].reset_index(drop=True)
    table["file_path"] = [f"clips/{number}.mkv" for number in range(CLIPS)]
    for number in range(CLIPS):
        sound = np.concatenate([tone(100 + 5 * number, 0.5), noise(0.5, number)])
        write_sound(folder / f"data/raw/demo/clips/{number}.mkv", sound)
    write_labels(folder, table, ("happy", "sad", "neutral"))
    return folder


def start(project: Path, cache: Path) -> "subprocess.Popen[str]":
    env = os.environ | {"FACEWAVE_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-m", "facewave.voice", "demo"],
        cwd=project, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has Ctrl-C ignored, and so would the children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def test_stopped_runs_resume_and_two_at_once_give_the_same_bytes(
    project: Path, tmp_path: Path
) -> None:
    data = project / "data/voice"
    process = start(project, tmp_path / "undisturbed")
    _, err = process.communicate()
    assert process.returncode == 0, err
    expected = contents(data)
    shutil.rmtree(data)
    cache = tmp_path / "disturbed"
    for least, sign in ((2, signal.SIGINT), (10, signal.SIGKILL)):
        process = start(project, cache)
        while len(list(cache.glob("voice/*/*.parquet"))) < least:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        os.killpg(process.pid, sign)
        _, err = process.communicate()
        assert process.returncode == (130 if sign == signal.SIGINT else -sign)
        assert "Traceback" not in err
    assert least <= len(list(cache.glob("voice/*/*.parquet"))) < CLIPS
    both = [start(project, cache) for _ in range(2)]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert contents(data) == expected
    index = KIND.read_index(data / "demo")
    assert (index["problem"] == "").all()
    assert index["rows"].tolist() == [100] * CLIPS


LONG = """
import resource, sys
from pathlib import Path
from facewave.params import Voice
from facewave.voice.listen import Listener
Listener(Voice("none", -1)).one(Path(sys.argv[2]), Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_long_clip_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for minutes in (1, 6):
        clip = write_sound(tmp_path / f"{minutes}.mkv", np.tile(noise(60), minutes), codec="flac")
        command = [sys.executable, "-c", LONG, str(clip), str(tmp_path / f"{minutes}/a.parquet")]
        env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        peaks.append(int(subprocess.run(command, env=env, check=True, capture_output=True).stdout))
        (entry,) = KIND.entries(tmp_path / f"{minutes}/a.parquet")
        assert entry.about["rows"] == minutes * 6000
    assert peaks[1] < 1.25 * peaks[0], peaks
