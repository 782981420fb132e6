"""``facewave timeline``: what is seen and answered of recordings, on the screen and in files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from facewave import params
from facewave.app import answers
from facewave.app.draw import suffix
from facewave.app.inputs import outputs
from facewave.app.models import choose
from facewave.app.predict import NO_INTERVAL
from facewave.app.timeline import annotations, overlay, picture, subtitles, summary, tables
from facewave.app.timeline.answer import Options as Windows
from facewave.app.timeline.answer import answer, check
from facewave.app.timeline.recording import follow
from facewave.app.timeline.schema import Timeline
from facewave.errors import UserError
from facewave.params import Params
from facewave.pictures import files_of
from facewave.training import cards

Writer = Callable[[Timeline, Path], None]
FORMATS: dict[str, tuple[str, Writer]] = {  # by name: how its files end, and who writes them
    "csv": (".csv", tables.write_windows),
    "json": (".json", tables.write_all),
    "srt": (".srt", subtitles.write_srt),
    "vtt": (".vtt", subtitles.write_vtt),
    "eaf": (".eaf", annotations.write_eaf),
    "boris": (".boris", annotations.write_boris),
    "png": (".png", picture.write),
}
VIDEO = "video"
_UNKNOWN_PERSON = "no other recording of the people is known: those of the training clips stand in"


@dataclass(frozen=True)
class Options:
    """How recordings are answered, and what is written.

    Attributes:
        model: see ``models.choose``.
        windows: what is answered, and how it is smoothed.
        out: a folder; of several recordings, that of their folders. None: NAME.timeline, here.
        formats: of the files, some of ``FORMATS`` and ``VIDEO``.
        fps: of recordings that are folders of pictures.
    """

    model: str | None = None
    windows: Windows = field(default_factory=Windows)
    out: Path | None = None
    formats: Sequence[str] = ("csv", "json", "png")
    fps: float = 25.0

    def check(self) -> None:
        """Raise a UserError if they make no sense."""
        if strange := [name for name in self.formats if name not in (*FORMATS, VIDEO)]:
            known = ", ".join([*FORMATS, VIDEO])
            raise UserError(f"--format names {strange[0]!r}; there are {known}.")
        self.windows.check()


def timeline_all(clips: Sequence[Path], options: Options) -> bool:
    """Answer each recording and write its files; one that fails stops no other.

    Returns:
        Whether every recording was answered.

    Raises:
        UserError: there is no such model, the options make no sense, or a file would be written
            over a recording.
    """
    options.check()
    folders = outputs(clips, options.out or Path(), ".timeline")
    if options.out and len(clips) == 1:
        folders = [options.out]
    _spare(clips, folders, options.formats)
    settings, model = params.for_clips(), choose(options.model)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"model: {model.line()}")
    if model.about.get("synthetic"):
        console.print(f"beware: {cards.SYNTHETIC}", style="bold yellow")
    if model.normalizes:
        console.print(_UNKNOWN_PERSON)
    answered, unmeasured = 0, set[str]()
    for clip, folder in zip(clips, folders, strict=True):
        begun = time.perf_counter()
        try:
            check(clip, model)
            folder.mkdir(parents=True, exist_ok=True)
            made = answer(follow(clip, options.fps, settings), model, options.windows, settings)
            taken = time.perf_counter() - begun
            summary.show(made, console)
            console.print(f"  {_speed(made.recording.duration, taken)}")
            files = write(made, folder, options.formats, options.fps, settings)
        except BrokenPipeError:  # nobody reads on
            raise
        except (UserError, OSError) as error:
            summary.failed(clip, error)
            continue
        console.print(f"  {folder}: {', '.join(file.name for file in files)}")
        unmeasured |= set(answers.without_interval([made.windows], made))
        answered += bool((made.windows["answered_from"] != "").any())
    if unmeasured:
        console.print(NO_INTERVAL.format(" and ".join(sorted(unmeasured))))
    return answered == len(clips)


def _spare(clips: Sequence[Path], folders: Sequence[Path], formats: Sequence[str]) -> None:
    """Raise a UserError if a file would be written over a recording."""
    sources = {file.resolve() for clip in clips for file in files_of(clip)}
    for clip, folder in zip(clips, folders, strict=True):
        for file in files_named(clip, folder, formats).values():
            if file.resolve() in sources:
                raise UserError(f"{file} is a recording, and would be written over. Name another "
                                "folder with --out.")  # fmt: skip


def files_named(clip: Path, folder: Path, formats: Sequence[str]) -> dict[str, Path]:
    """The file of each format, named as the recording is."""
    endings = {name: ending for name, (ending, _) in FORMATS.items()} | {VIDEO: suffix()}
    return {name: folder / f"{clip.stem}{endings[name]}" for name in formats}


def write(
    timeline: Timeline, folder: Path, formats: Sequence[str], fps: float, settings: Params
) -> list[Path]:
    """Write a timeline's files into a folder.

    Raises:
        UserError: a video cannot be written.
    """
    files = files_named(timeline.recording.path, folder, formats)
    for name, file in files.items():
        if name == VIDEO:
            overlay.write_video(timeline, file, fps, settings.landmarks.rate)
        else:
            FORMATS[name][1](timeline, file)
    return list(files.values())


def _speed(duration: float, taken: float) -> str:
    times = duration / max(taken, 1e-9)
    return f"{duration:.1f} s of video in {taken:.1f} s, {times:.1f} times real time"
