"""The ``facewave`` command: check a machine, name a clip's emotion, show and export results."""

from pathlib import Path
from typing import Annotated

import typer

from facewave.errors import explain

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From a clip of a face, through wavelets of its trajectories, to an emotion.",
)


@app.command()
def doctor() -> None:
    """Check this machine and say in plain words what to do."""
    from facewave.app.doctor import examine, show

    findings = examine()
    show(findings)
    if any(finding.blocking for finding in findings):
        raise typer.Exit(1)


@app.command()
def results() -> None:
    """Print the table of metrics, and where the plots are."""
    from facewave.app.results import show

    show()


@app.command()
def predict(
    clips: Annotated[list[Path], typer.Argument(help="Videos, or folders of pictures.")],
    model: Annotated[
        Path | None, typer.Option(help="A trained model's folder. Default: the first partition's.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of folders of pictures.")] = 25.0,
) -> None:
    """Name the emotion in clips, with probabilities and the quality of what was seen."""
    from facewave.app.predict import predict_all

    if not predict_all(clips, model, fps):
        raise typer.Exit(1)


@app.command("export-npy")
def export_npy(
    out: Annotated[Path, typer.Argument(help="The .npy file to write.")],
    dataset: Annotated[str, typer.Option(help="A dataset of params.yaml.")] = "demo",
) -> None:
    """Write a dataset's features in the exchange format that others use (a pickled .npy)."""
    from facewave.app.export import export

    export(dataset, out)


def run() -> None:
    """Entry point: a person's mistake gets a sentence, not a traceback."""
    explain(app)


if __name__ == "__main__":
    run()
