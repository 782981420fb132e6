"""The ``facewave`` command: check a machine, name a clip's emotion, show and export results.

Commands import what they need when they run, so that ``--help`` and mistakes are answered at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from facewave.errors import UserError, explain

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From a clip of a face, through wavelets of its trajectories, to an emotion.",
)
datasets = typer.Typer(help="The corpora that can be read, and what is in your copy of one.")
app.add_typer(datasets, name="datasets")


def _existing(clips: Path | list[Path]) -> Path | list[Path]:
    for clip in [clips] if isinstance(clips, Path) else clips:
        if not clip.exists():
            raise UserError(f"{clip} is not here. Name a video, or a folder of pictures.")
    return clips


Clip = Annotated[Path, typer.Argument(help="A video, or a folder of pictures.", callback=_existing)]
Clips = Annotated[
    list[Path], typer.Argument(help="Videos, or folders of pictures.", callback=_existing)
]
Fps = Annotated[float, typer.Option(help="Frame rate of folders of pictures.")]
DatasetName = Annotated[str, typer.Argument(help="A dataset of params.yaml.")]
ModelFolder = Annotated[
    Path | None, typer.Option(help="A trained model's folder. Default: the first partition's.")
]


@app.command()
def doctor() -> None:
    """Check this machine, and say what to do about what is wrong."""
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
    """Test whether one run is better than another on the same test clips."""
    from facewave.app.compare import compare as compare_runs

    compare_runs(first, second)


@app.command()
def predict(clips: Clips, model: ModelFolder = None, fps: Fps = 25.0) -> None:
    """Name the emotion in clips, with probabilities and the quality of what was seen."""
    from facewave.app.predict import predict_all

    if not predict_all(clips, model, fps):
        raise typer.Exit(1)


@app.command()
def annotate(
    dataset: DatasetName,
    track: Annotated[
        str, typer.Option(help="Name of the descriptions: data/tracks/DATASET/TRACK.csv.")
    ] = "captions",
    model: Annotated[
        str | None, typer.Option(help="Kind of language model. Default: train.model.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="The question. Default: what the person does.")
    ] = None,
    examples_of: Annotated[
        str | None, typer.Option(help="A dataset with captions to show as examples.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of examples.")] = 3,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Describe at most N clips now, the rest later.")
    ] = None,
) -> None:
    """Have a language model describe the clips of a dataset that have no caption."""
    from facewave.app.annotate import PROMPT
    from facewave.app.annotate import annotate as annotate_clips

    annotate_clips(dataset, track, model, prompt or PROMPT, examples_of, examples, limit)


@app.command("pseudo-label")
def pseudo_label(
    dataset: DatasetName,
    model: ModelFolder = None,
    track: Annotated[
        str, typer.Option(help="Name of the answers: data/tracks/DATASET/TRACK.csv.")
    ] = "pseudo_labels",
) -> None:
    """Have a trained model label the clips that have no label, and say how far to trust it."""
    from facewave.app.pseudo_label import pseudo_label as pseudo_label_clips

    pseudo_label_clips(dataset, model, track)


@app.command()
def draw(
    clip: Clip,
    out: Annotated[
        Path | None, typer.Option(help="The .mp4 file. Default: CLIP.seen.mp4, here.")
    ] = None,
    fps: Fps = 25.0,
) -> None:
    """Write a video of what was seen in a clip: points, blendshapes as bars, gaps."""
    from facewave.app.draw import draw as draw_clip

    draw_clip(clip, out or Path(f"{clip.stem}.seen.mp4"), fps)


@app.command()
def trajectories(
    clip: Clip,
    out: Annotated[
        Path | None, typer.Option(help="The .png file. Default: CLIP.trajectories.png, here.")
    ] = None,
    fps: Fps = 25.0,
) -> None:
    """Plot a clip's trajectories, and what the wavelet numbers keep of them."""
    from facewave.app.trajectories import draw as draw_trajectories

    draw_trajectories(clip, out or Path(f"{clip.stem}.trajectories.png"), fps)


@app.command("export-npy")
def export_npy(
    out: Annotated[Path, typer.Argument(help="The .npy file to write.")],
    dataset: Annotated[str, typer.Option(help="A dataset of params.yaml.")] = "demo",
) -> None:
    """Write a dataset's features in the exchange format of other projects (a pickled .npy)."""
    from facewave.app.export import export

    export(dataset, out)


@datasets.callback(invoke_without_command=True)
def list_datasets(context: typer.Context) -> None:
    """List the corpora: their words, what their labels know, and where to get them."""
    if context.invoked_subcommand is None:
        from facewave.app.datasets import show_all

        show_all()


@datasets.command("show")
def show_dataset(name: Annotated[str, typer.Argument(help="A reader's name.")]) -> None:
    """Describe one corpus: words, published counts, files, where to get it, licence."""
    from facewave.app.datasets import show_one

    show_one(name)


@datasets.command("check")
def check_dataset(
    name: Annotated[str, typer.Argument(help="A reader; or, alone, a dataset of params.yaml.")],
    root: Annotated[Path | None, typer.Argument(help="The corpus's folder.")] = None,
) -> None:
    """Report what a corpus's folder has, what is missing, and how the counts differ."""
    from facewave.app.datasets import check

    if not check(name, root):
        raise typer.Exit(1)


@datasets.command("leaks")
def check_leaks(
    train: Annotated[str, typer.Argument(help="The dataset of params.yaml to train on.")],
    test: Annotated[str, typer.Argument(help="The one whose test parts are tested on.")],
) -> None:
    """Tell whether a model trained on one dataset may be tested on another."""
    from facewave.app.datasets import shared

    if not shared(train, test):
        raise typer.Exit(1)


@datasets.command("unpack-fer2013")
def unpack_fer2013(
    root: Annotated[Path, typer.Argument(help="The folder of fer2013.csv.")],
) -> None:
    """Write the pictures of FER2013, which its table contains, beside it."""
    from facewave.labels.readers.fer2013 import unpack

    print(f"{unpack(root)} pictures written")


def run() -> None:
    """Entry point: a person's mistake gets a sentence, not a traceback."""
    explain(app)


if __name__ == "__main__":
    run()
