"""The ``facewave`` command: check a machine, name a clip's emotion, show and export results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facewave.errors import explain

if TYPE_CHECKING:
    from rich.console import Console

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
def compare(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A role (model, logistic), or REV or REV:ROLE; REV is a git revision, a DVC "
            "experiment or a folder like data/answers.",
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="Another run.")],
) -> None:
    """Tell whether one run is better than another on the same test clips."""
    from facewave.app.compare import compare as compare_runs

    compare_runs(first, second)


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


@app.command()
def annotate(
    dataset: Annotated[str, typer.Argument(help="A dataset of params.yaml.")],
    track: Annotated[
        str, typer.Option(help="What the descriptions are called: data/tracks/DATASET/TRACK.csv.")
    ] = "captions",
    model: Annotated[
        str | None, typer.Option(help="A language model's kind. Default: train.model.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What is asked. Default: what the person does.")
    ] = None,
    examples_of: Annotated[
        str | None, typer.Option(help="A dataset with captions to show as examples.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="How many of them.")] = 3,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Describe so many clips now, the others later.")
    ] = None,
) -> None:
    """Have a language model describe the clips of a dataset that have no caption."""
    from facewave.app.annotate import PROMPT
    from facewave.app.annotate import annotate as annotate_clips

    annotate_clips(dataset, track, model, prompt or PROMPT, examples_of, examples, limit)


@app.command("pseudo-label")
def pseudo_label(
    dataset: Annotated[str, typer.Argument(help="A dataset of params.yaml.")],
    model: Annotated[
        Path | None, typer.Option(help="A trained model's folder. Default: the first partition's.")
    ] = None,
    track: Annotated[
        str, typer.Option(help="What the answers are called: data/tracks/DATASET/TRACK.csv.")
    ] = "pseudo_labels",
) -> None:
    """Have a trained model label the clips that have no label, and tell how far to trust it."""
    from facewave.app.pseudo_label import pseudo_label as pseudo_label_clips

    pseudo_label_clips(dataset, model, track)


@app.command()
def draw(
    clip: Annotated[Path, typer.Argument(help="A video, or a folder of pictures.")],
    out: Annotated[
        Path | None, typer.Option(help="The .mp4 file. Default: beside you, by the clip's name.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of folders of pictures.")] = 25.0,
) -> None:
    """Write a video of what was seen in a clip: points, blendshapes as bars, gaps."""
    from facewave.app.draw import draw as draw_clip

    draw_clip(clip, out or Path(f"{clip.stem}.seen.mp4"), fps)


@app.command()
def trajectories(
    clip: Annotated[Path, typer.Argument(help="A video, or a folder of pictures.")],
    out: Annotated[
        Path | None, typer.Option(help="The .png file. Default: beside you, by the clip's name.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of folders of pictures.")] = 25.0,
) -> None:
    """Draw a clip's trajectories, and what the wavelet numbers keep of them."""
    from facewave.app.trajectories import draw as draw_trajectories

    draw_trajectories(clip, out or Path(f"{clip.stem}.trajectories.png"), fps)


@app.command("export-npy")
def export_npy(
    out: Annotated[Path, typer.Argument(help="The .npy file to write.")],
    dataset: Annotated[str, typer.Option(help="A dataset of params.yaml.")] = "demo",
) -> None:
    """Write a dataset's features in the exchange format that others use (a pickled .npy)."""
    from facewave.app.export import export

    export(dataset, out)


datasets = typer.Typer(help="The corpora that are read; what lies in your folder.")
app.add_typer(datasets, name="datasets")


@datasets.callback(invoke_without_command=True)
def list_datasets(context: typer.Context) -> None:
    """List the corpora with their words, what they know, and how they are had."""
    if context.invoked_subcommand is None:
        from facewave.app.datasets import show_all

        show_all(_console())


@datasets.command("show")
def show_dataset(name: Annotated[str, typer.Argument(help="A reader's name.")]) -> None:
    """Tell of one corpus: words, published counts, files, where it is had, licence."""
    from facewave.app.datasets import show_one

    show_one(name, _console())


@datasets.command("check")
def check_dataset(
    name: Annotated[str, typer.Argument(help="A reader's name; alone, an entry of params.yaml.")],
    root: Annotated[Path | None, typer.Argument(help="The corpus's folder.")] = None,
) -> None:
    """Report what a corpus's folder has, what is missing, and how counts differ."""
    from facewave.app.datasets import check

    if not check(name, root, _console()):
        raise typer.Exit(1)


@datasets.command("leaks")
def check_leaks(
    train: Annotated[str, typer.Argument(help="A dataset of params.yaml that is trained on.")],
    test: Annotated[str, typer.Argument(help="The one whose test parts are tested on.")],
) -> None:
    """Tell whether a model trained on one dataset may be tested on another."""
    from facewave.app.datasets import shared

    if not shared(train, test, _console()):
        raise typer.Exit(1)


@datasets.command("unpack-fer2013")
def unpack_fer2013(
    root: Annotated[Path, typer.Argument(help="The folder of fer2013.csv.")],
) -> None:
    """Write the pictures of FER2013, which are in its table, beside it."""
    from facewave.labels.readers.fer2013 import unpack

    print(f"{unpack(root)} pictures written")


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def run() -> None:
    """Entry point: a person's mistake gets a sentence, not a traceback."""
    explain(app)


if __name__ == "__main__":
    run()
