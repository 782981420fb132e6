"""Arguments and options that several commands have."""

from typing import Annotated

import typer

Clips = Annotated[
    list[str],
    typer.Argument(
        help="Videos, pictures, folders of videos (each a clip), folders of pictures (one clip), "
        "or quoted patterns such as 'clips/**/*.mp4'."
    ),
]
Fps = Annotated[float, typer.Option(help="Frame rate of folders of pictures.")]


def _allow_upload(allowed: bool) -> None:
    if allowed:
        from facewave.prompts.server import allow_upload

        allow_upload()


AllowUpload = Annotated[
    bool,
    typer.Option(
        "--allow-upload",
        callback=_allow_upload,
        help="Show the clips to a model on another machine, if that is the model's address.",
    ),
]
