"""What the process of a job does: ``python -m facewave.app.page.work BYTES``, with memory limited.

It reads its task from its standard input, a line of JSON (``jobs.py``), and tells what it does in
lines of JSON: ``stage`` and ``share``, which are what its progress bars say, and at last
``failed``, a sentence or "". What it finds goes to the job's folder. It ends when its standard
input does.
"""

import io
import json
import os
import re
import resource
import sys
import tempfile
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from facewave.errors import UserError, native_log_off
from facewave.files import CACHE, write_json

# What tqdm writes: a bar's title and its percentage; or, of seconds of unknown number, their count.
_BAR = re.compile(r"\r([^\r:]{1,80}?): +(?:([0-9]{1,3})%\||([0-9]+)s \[)")
RESULT, POINTS, SEEN = "result.json", "points.bin", "seen.mp4"
_FPS = 25.0  # of pictures


@dataclass(frozen=True)
class Task:
    """What is to be done with a clip; as ``jobs.Jobs`` writes it.

    Attributes:
        what: "answer", or "draw" the video of what was seen.
        folder: the job's.
        clip: the name of the clip's file in it.
        name: what the person calls the clip.
        models: ids (``offered.py``).
        keep: whether trajectories may stay in the user's cache.
        seconds: a clip's length, at most.
    """

    what: str
    folder: str
    clip: str
    name: str
    models: list[str]
    keep: bool
    seconds: float


class Telling(io.TextIOBase):
    """A stream for progress bars, which tells the server of them."""

    def __init__(self, to: TextIO) -> None:
        self._to, self._last = to, ("", -1.0)
        self.length_s = 0.0  # of the clip, once it is known

    def write(self, text: str) -> int:
        """Tell what a bar says; anything else is dropped."""
        for stage, percent, seconds in _BAR.findall(text):
            share = int(percent) / 100 if percent else int(seconds) / max(self.length_s, 1.0)
            now = stage, min(share, 1.0)
            if now != self._last:
                self._last = now
                tell(self._to, stage=now[0], share=now[1])
        return len(text)


def tell(to: TextIO, **message: object) -> None:
    """Tell the server something."""
    print(json.dumps(message), file=to, flush=True)


def main(memory: int) -> None:
    """Load what jobs need, then wait for one, and do it."""
    to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed is no message
    _prepare()
    tell(to, ready=True)
    line = sys.stdin.readline()
    if not line:
        return
    threading.Thread(target=_end_with_server, daemon=True).start()
    task = Task(**json.loads(line))
    temporary = Path(task.folder) / "temporary"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)  # deleted with the job
    if not task.keep:
        os.environ[CACHE] = str(Path(task.folder) / "cache")
    # Not before: OpenBLAS tries for ever to get its first memory.
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory if most == resource.RLIM_INFINITY else min(memory, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    telling = Telling(to)
    stream: Any = telling
    with redirect_stderr(stream), redirect_stdout(stream):
        failed = _failed(task, telling)
    tell(to, failed=failed)


def _end_with_server() -> None:
    """End this process when the server has ended, however it has."""
    while sys.stdin.read(1):
        pass
    os._exit(1)


@native_log_off()
def _prepare() -> None:
    """Load modules and models that take a second, while nobody waits."""
    import pywt  # noqa: F401

    from facewave import assets
    from facewave.app.page import results  # noqa: F401
    from facewave.app.timeline import answer, recording  # noqa: F401
    from facewave.appearance.encoders import fer  # noqa: F401
    from facewave.landmarks.engines import litert

    if path := assets.find(assets.LANDMARKER):
        litert.load(path.read_bytes())


def _failed(task: Task, telling: Telling) -> str:
    """Do the task; why it cannot be done, "" if it is."""
    import av

    try:
        _do(task, telling)
    except UserError as error:
        return _plain(str(error), task)
    except MemoryError:
        return (
            "There is not enough memory for this clip. Send a shorter one, or one with smaller "
            "pictures."
        )
    except OSError as error:
        return _plain(f"The server could not work on the clip: {error.strerror or error}.", task)
    except (av.FFmpegError, RuntimeError, ValueError) as error:  # raised by native code
        return _plain(f"The clip cannot be looked at: {error}", task)
    return ""


def _plain(sentence: str, task: Task) -> str:
    """A sentence in which the clip has the person's own name for it."""
    return sentence.replace(str(Path(task.folder) / task.clip), task.name)


def _do(task: Task, telling: Telling) -> None:
    from facewave import params
    from facewave.app.page import offered, results
    from facewave.app.timeline.answer import Options, answer
    from facewave.app.timeline.recording import follow

    folder = Path(task.folder)
    clip, settings = folder / task.clip, params.for_clips()
    telling.length_s = _length(clip, task)
    recording = follow(clip, _FPS, settings)
    labels = {one.id: one.label for one in offered.models()}
    answered = []
    for name in task.models[: 1 if task.what == "draw" else None]:
        model = offered.choose(name)
        timeline = answer(recording, model, Options(), settings)
        answered.append(results.Answered(name, labels.get(name, name), model, timeline))
    if task.what == "draw":
        from facewave.app.timeline import overlay  # loads matplotlib, for its colours and font

        rate = settings.landmarks.rate
        overlay.write_video(answered[0].timeline, folder / SEEN, _FPS, rate)
        return
    content = results.collect(recording, answered, task.name, folder / POINTS)
    results.write_files(answered, task.name, folder)
    write_json(folder / RESULT, content)


def _length(clip: Path, task: Task) -> float:
    """A clip's length (s), by its header.

    Raises:
        UserError: it is no video, or too long.
    """
    from facewave.video import Clip

    source = Clip(clip, _FPS)
    if source.problem:
        raise UserError(f"{task.name}: {source.problem}.")
    length = max(source.duration, source.declared_frames / source.fps if source.fps else 0.0)
    if length > task.seconds:
        raise UserError(
            f"{task.name} lasts {length / 60:.1f} minutes; {task.seconds / 60:g} are the most. "
            "Cut it."
        )
    return length


if __name__ == "__main__":
    main(int(sys.argv[1]))
