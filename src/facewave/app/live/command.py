"""The command ``facewave live``; what it needs is loaded when it runs."""

from pathlib import Path
from typing import Annotated

import typer


def live(
    source: Annotated[
        str,
        typer.Argument(
            help="A camera's number (0), a stream's address in this computer's own network "
            "(rtsp://..., http://...), or a video, which is played at its own rate."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="As for predict: untrained (the default), demo, or a model's folder."),
    ] = None,
    window: Annotated[float, typer.Option(help="Seconds that an answer is about.")] = 3.0,
    hop: Annotated[float, typer.Option(help="Seconds from one answer to the next.")] = 0.2,
    smooth: Annotated[
        float, typer.Option(help="Seconds over which answers are averaged; 0: each stands alone.")
    ] = 1.0,
    seconds: Annotated[float | None, typer.Option(help="End after so many seconds.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Answer for everybody in sight, not for one person.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="A new .jsonl or .csv file to write answers to from the start."),
    ] = None,
    save_video: Annotated[
        bool, typer.Option("--save-video", help="While answers are written, keep the video, too.")
    ] = False,
    headless: Annotated[
        bool,
        typer.Option("--headless", "--json", help="Print a line of JSON for each answer."),
    ] = False,
) -> None:
    """Answer while a camera runs: a camera, a stream of the own network, or a video as if it were.

    Frames that cannot be kept up with are dropped, never queued. Nothing is recorded unless asked.
    Keys: space pauses, m marks the moment, s starts and stops writing, q quits.

    Example: facewave live 0
    """
    from facewave.app.live.starting import start
    from facewave.app.live.watching import Options

    start(
        source, model, Options(window, hop, smooth, seconds, everybody, out, save_video), headless
    )
