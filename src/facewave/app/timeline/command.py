"""The commands ``facewave timeline`` and ``facewave segment``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facewave.app.options import AllowUpload, Clips, Fps

By = Literal["words", "shots", "people"]  # what cuts are
Model = Annotated[
    str | None,
    typer.Option(
        help="As of predict: a trained model's folder, demo, or untrained. Default: untrained."
    ),
]
Window = Annotated[float, typer.Option(help="Seconds that are answered as one.")]
Hop = Annotated[float, typer.Option(help="Seconds from one window to the next.")]
Smooth = Annotated[float, typer.Option(help="Seconds that answers are smoothed over; 0: not.")]


def timeline(
    clips: Clips,
    model: Model = None,
    window: Window = 3.0,
    hop: Hop = 1.0,
    smooth: Smooth = 3.0,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder; of several videos, that of theirs. Default: NAME.timeline."),
    ] = None,
    form: Annotated[
        str,
        typer.Option("--format", help="Some of csv,json,srt,vtt,eaf,boris,png,video."),
    ] = "csv,json,png",
    fps: Fps = 25.0,
    allow_upload: AllowUpload = False,
) -> None:
    """Follow everybody in recordings of any length, and name emotions over time.

    What was detected is kept: an interrupted run resumes where it stopped, another model detects
    nothing again. Files: a table and all as JSON, a picture, subtitles (srt, vtt), annotations of
    ELAN (eaf) and BORIS, and a video with everybody's face and word drawn in.

    The exit status is 1 if a recording was not answered, 2 for a mistake.

    Example: facewave timeline talk.mp4 --format csv,png,eaf
    """
    from facewave.app.inputs import clips_of

    found = clips_of(clips)

    from facewave.app.timeline.answer import Options as Windows
    from facewave.app.timeline.outputs import Options, timeline_all

    formats = [name.strip() for name in form.split(",")]
    options = Options(model, Windows(window, hop, smooth), out, formats, fps)
    if not timeline_all(found, options):
        raise typer.Exit(1)


def segment(
    clips: Clips,
    out: Annotated[Path, typer.Option(help="The .csv file, in a folder with the videos.")],
    by: Annotated[
        By,
        typer.Option(
            "--from",
            help="words: stretches of one word; shots: of each person; people: while in sight.",
        ),
    ] = "shots",
    least: Annotated[float, typer.Option(help="Seconds of the shortest cut.")] = 1.0,
    most: Annotated[
        float, typer.Option(help="Seconds of the longest; longer ones are cut in equal pieces.")
    ] = 10.0,
    videos: Annotated[
        Path | None,
        typer.Option(help="A folder below that of --out for a video of each cut, of one face."),
    ] = None,
    model: Model = None,
    fps: Fps = 25.0,
    allow_upload: AllowUpload = False,
) -> None:
    """Write a table of cuts of recordings to label, which a dataset can be made of.

    Only of the person whom extract follows in each recording (landmarks.whose), unless --videos
    cuts everybody out. Column suggested has the model's word; actual is yours to fill in.

    Example: facewave segment talks/*.mp4 --out talks/cuts.csv --from people --most 5
    """
    from facewave.app.inputs import clips_of

    found = clips_of(clips)

    from facewave.app.timeline.segment import Options
    from facewave.app.timeline.segment import segment as segment_clips

    if not segment_clips(found, out, Options(by, least, most, model, fps=fps, videos=videos)):
        raise typer.Exit(1)
