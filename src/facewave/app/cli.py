"""The ``facewave`` command: check a machine, name a clip's emotion, show and export results.

Commands import what they need when they run, so that ``--help`` and mistakes are answered at once.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facewave import __version__
from facewave.app.live.command import live
from facewave.app.options import AllowUpload, Clips, Fps
from facewave.app.timeline import command as over_time
from facewave.errors import UserError, explain

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From a clip of a face, through wavelets of its trajectories, to an emotion.",
)
datasets = typer.Typer()
app.add_typer(datasets, name="datasets")
answers = typer.Typer(
    no_args_is_help=True,
    help="Answers that people compare without sharing data.\n\n"
    "Example: facewave answers export ours.zip",
)
app.add_typer(answers, name="answers")


DatasetName = Annotated[str, typer.Argument(help="A dataset of params.yaml.")]
ModelFolder = Annotated[
    Path | None, typer.Option(help="A trained model's folder. Default: the first partition's.")
]


def _version(asked: bool) -> None:
    if asked:
        print(f"facewave {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command()
def doctor(
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Instead, say whether the GPU has the memory for this language model, as "
            "train.language of params.yaml has it (frames, batch_size, checkpointing and so on).",
        ),
    ] = "",
) -> None:
    """Check this machine, and say what to do about what is wrong.

    Example: facewave doctor --model paligemma2
    """
    from facewave.app.doctor import examine, show

    if model:
        from facewave.app import gpu_memory
    findings = gpu_memory.examine(model) if model else examine()
    show(findings)
    if any(finding.blocking for finding in findings):
        raise typer.Exit(1)


@app.command()
def results() -> None:
    """Print the table of metrics, and where the plots are.

    Example: facewave results
    """
    from facewave.app.results import show

    show()


@app.command()
def compare(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A role (model, logistic), or REV or REV:ROLE; REV is a git revision, a DVC "
            "experiment or a folder like data/answers; or imported answers by their name, a .zip "
            "of facewave answers export, or published tables: a .csv, or a quoted pattern.",
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="Another run.")],
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What is compared: classes, quadrant, numbers, aus or about.NAME. Default: the "
            "first that both answer.",
        ),
    ] = "",
) -> None:
    """Test whether one run is better than another on the same test clips.

    Example: facewave compare model majority
    """
    from facewave.app.compare import compare as compare_runs

    compare_runs(first, second, task)


@app.command()
def predict(
    clips: Annotated[
        list[str] | None,
        typer.Argument(help="As for extract: videos, pictures, folders of either, or patterns."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A trained model's folder, or demo: the one of the synthetic demo. Default: "
            "untrained, the encoder fer and rules on facial actions, which need no training."
        ),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Print the model's card; needs no clip.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Answer clips that a dataset would leave out, marked.")
    ] = False,
    window: Annotated[float, typer.Option(help="Seconds of a window of longer clips.")] = 3.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 1.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone, a record per clip.")
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV alone, a row per clip and window.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A .json or .csv file to write as well.")] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="Other clips of the person, as CLIPS are named; for a model trained with "
            "train.normalize: person. May be repeated."
        ),
    ] = None,
    fps: Fps = 25.0,
    allow_upload: AllowUpload = False,
) -> None:
    """Name the emotion in clips, over time too, and say how far to trust the answer.

    Columns of answers are named as in data/answers: predicted and p_WORD of
    classes; predicted_valence with the ends of its 90 % prediction interval,
    low_valence and high_valence; predicted_quadrant and p_quadrant_WORD;
    predicted_UNIT of action units, a probability or an intensity.

    The exit status is 1 if a clip was not answered, 2 for a mistake.

    Example: facewave predict 'data/raw/demo/clips/2?.mp4' --out answers.csv
    """
    from facewave.app.inputs import clips_of

    if json and csv:
        raise UserError("--json and --csv cannot both go to the screen; write one with --out.")
    if not clips and not card:
        raise UserError("name a clip: facewave predict CLIP. --help says what it may be.")
    found = clips_of(clips or [])

    from facewave.app.predict import Options, predict_all

    form = "json" if json else "csv" if csv else "text"
    others = clips_of(baseline or [])
    options = Options(model, fps, window, hop, force, card, form, out, others)
    if not predict_all(found, options):
        raise typer.Exit(1)


app.command()(over_time.timeline)
app.command()(over_time.segment)
app.command()(live)


@app.command()
def extract(
    clips: Clips,
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    form: Annotated[str, typer.Option("--format", help="csv, parquet or json.")] = "csv",
    blocks: Annotated[
        str, typer.Option(help="Some of pose,blendshapes,points,quality.")
    ] = "pose,blendshapes,points,quality",
    whose: Annotated[
        str | None,
        typer.Option(help="center, largest, longest, or all: a file each. Default: params.yaml's."),
    ] = None,
    fps: Fps = 25.0,
) -> None:
    """Write what is seen of clips, one file per clip, one row per frame, in OpenFace's names.

    Example: facewave extract 'data/raw/demo/clips/2?.mp4' --out frames --format parquet
    """
    from facewave.app.inputs import clips_of

    found = clips_of(clips)

    from facewave.app.frames import extract as extract_frames

    if not extract_frames(found, out, form, blocks.split(","), fps, whose):
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
    allow_upload: AllowUpload = False,
) -> None:
    """Have a language model describe the clips of a dataset that have no caption.

    Example: facewave annotate demo --model tiny-smolvlm --limit 2
    """
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
    answers: Annotated[
        Path | None,
        typer.Option(
            help="A table of answers from elsewhere, in place of a model: video_idx, file_path or "
            "image_location; answer (free text) or predicted; and, if it has them, confidence and "
            "p_WORD."
        ),
    ] = None,
    vote: Annotated[
        str, typer.Option(help="Tracks that vote, in place of a model: first,second,...")
    ] = "",
    refusals: Annotated[
        str,
        typer.Option(
            help="none, or previous: a refusal takes the label of the moment before it in the "
            "same video."
        ),
    ] = "none",
    allow_upload: AllowUpload = False,
) -> None:
    """Have others label the clips that have no label, and say how far to trust them.

    A trained model of any kind, a table of answers, or the vote of several
    such tracks. pseudo.track in params.yaml has a track teach.

    Example: facewave pseudo-label demo --track guesses
    """
    from facewave.app.pseudo_label import pseudo_label as pseudo_label_clips

    voters = [name.strip() for name in vote.split(",")] if vote else []
    pseudo_label_clips(dataset, model, track, answers, voters, refusals)


@app.command()
def submission(
    dataset: DatasetName,
    track: Annotated[str, typer.Option(help="The answers: data/tracks/DATASET/TRACK.csv.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    median_s: Annotated[
        float, typer.Option(min=0, help="Seconds of a median filter over time; 0: none.")
    ] = 0.0,
) -> None:
    """Write the ABAW challenge's file of compound expressions, a line a frame, from answers.

    Example: facewave submission cexpr --track ours --out predictions.txt --median-s 1
    """
    from facewave.app.submission import submission as write_submission

    write_submission(dataset, track, out, median_s)


@app.command()
def draw(
    clips: Clips,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .mp4 (H.264) or .webm (VP9) file; of several clips, a folder. Default: "
            "CLIP.seen.mp4, here."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Draw what a model answers over time, too, as --model of predict names it: "
            "untrained, demo, or a folder. Default: nothing is answered."
        ),
    ] = None,
    fps: Fps = 25.0,
    allow_upload: AllowUpload = False,
) -> None:
    """Write videos of what was seen in clips: points, blendshapes with values, gaps, answers.

    Example: facewave draw data/raw/demo/clips/21.mp4 --out seen.mp4
    """
    from facewave.app.inputs import clips_of

    found = clips_of(clips)

    from facewave.app.draw import draw as draw_clip
    from facewave.app.draw import suffix

    _draw_each(found, out, suffix(), partial(draw_clip, model=model), fps)


@app.command()
def trajectories(
    clips: Clips,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .png file; of several clips, a folder. Default: CLIP.trajectories.png, here."
        ),
    ] = None,
    fps: Fps = 25.0,
) -> None:
    """Plot clips' trajectories, and what the wavelet numbers keep of them.

    Example: facewave trajectories 'data/raw/demo/clips/2?.mp4' --out pictures
    """
    from facewave.app.inputs import clips_of

    found = clips_of(clips)

    from facewave.app.trajectories import SUFFIX
    from facewave.app.trajectories import draw as draw_trajectories

    _draw_each(found, out, SUFFIX, draw_trajectories, fps)


def _draw_each(
    clips: list[Path],
    out: Path | None,
    suffix: str,
    draw: Callable[[Path, Path, float], None],
    fps: float,
) -> None:
    """Draw one clip into the file ``out``, several into the folder."""
    from facewave.app.inputs import outputs
    from facewave.app.seen import each

    files = [out] if out and len(clips) == 1 else outputs(clips, out or Path(), suffix)
    if not each(clips, files, draw, fps):
        raise typer.Exit(1)


@app.command()
def export(
    dataset: DatasetName,
    out: Annotated[Path, typer.Option(help="The .csv or .parquet file to write.")],
    blocks: Annotated[
        str, typer.Option(help="Some of the dataset's features: blendshapes,head. Default: all.")
    ] = "",
) -> None:
    """Write a dataset's labels and features as one table, a row a clip and a column a number.

    Example: facewave export demo --out demo.parquet --blocks blendshapes,head
    """
    from facewave.app.export import export as export_table

    export_table(dataset, out, blocks.split(",") if blocks else ())


@app.command("export-npy")
def export_npy(
    out: Annotated[Path, typer.Argument(help="The .npy file to write.")],
    dataset: Annotated[str, typer.Option(help="A dataset of params.yaml.")] = "demo",
) -> None:
    """Write a dataset's features in the exchange format of other projects (a pickled .npy).

    Example: facewave export-npy demo.npy --dataset demo
    """
    from facewave.app.export import export_npy as export_array

    export_array(dataset, out)


@app.command("export-model")
def export_model(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    model: ModelFolder = None,
) -> None:
    """Write a trained language model for transformers and PEFT, with its card.

    Merged weights, its LoRA alone, and, beside them, what only facewave knows of.

    Example: facewave export-model exported --model models/trained/split/model
    """
    from facewave.app.export_model import export_model as export

    export(out, model)


@app.command()
def fetch(
    name: Annotated[
        str | None, typer.Argument(help="An open corpus. Without it they are listed.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="Its folder. Default: data/raw/NAME.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to its licence unasked.")] = False,
) -> None:
    """Fetch a corpus that is open to all, checked, and add its entry to params.yaml.

    Run it again to go on after an interruption.

    Example: facewave fetch ravdess-au
    """
    from facewave.app.fetch.command import fetch as fetch_corpus
    from facewave.app.fetch.command import show_all

    if name is None:
        show_all()
    else:
        fetch_corpus(name, into, yes)


@answers.command("export")
def export_answers(
    out: Annotated[Path, typer.Argument(help="The .zip file to write.")],
    role: Annotated[
        list[str] | None, typer.Option(help="A role to write (repeatable). Default: all.")
    ] = None,
) -> None:
    """Write the present answers as a small file to compare with: ids, labels, the models' numbers.

    Example: facewave answers export ours.zip --role model
    """
    from facewave.app.shared_answers import export

    export(out, role or [])


@answers.command("import")
def import_answers(
    files: Annotated[
        list[str],
        typer.Argument(
            help="An exported .zip; or .csv tables, one file, or one per fold; or patterns."
        ),
    ],
    name: Annotated[
        str, typer.Option(help="What facewave compare calls it. Default: the file's name.")
    ] = "",
    dataset: Annotated[
        str, typer.Option(help="What published tables are about. Default: train.dataset.")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="Their order in tables without names: angry,calm,... Default: ours.")
    ] = "",
) -> None:
    """Take in other people's answers, an exported file or tables they published.

    Example: facewave answers import 'published/mlp_fold*.csv' --name mlp --dataset ravdess
    """
    from facewave.app.shared_answers import take

    path = take(files, name, dataset, classes)
    print(f"{path}: facewave compare model {path.stem}")


@app.command()
def pretrain(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Datasets of params.yaml whose faces stage crop has cut out, or folders of "
            "pictures of faces.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder that is written.")],
    epochs: Annotated[int, typer.Option(min=1, help="How often each face is shown.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Faces a step, on each GPU.")] = 256,
    side: Annotated[int, typer.Option(min=32, help="Pixels of a face, a multiple of 16.")] = 112,
    width: Annotated[float, typer.Option(min=0.01, max=1, help="Share of ViT-B's channels.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn by chance.")] = 0,
) -> None:
    """Pretrain a vision transformer on faces without labels, as a masked autoencoder.

    A killed run resumes. On several GPUs: accelerate launch -m facewave.app.cli pretrain ...

    Example: facewave pretrain celeba imdb --out models/pretrained/faces
    """
    from facewave.app.pretrain import pretrain as pretrain_on
    from facewave.training.autoencoder import Settings

    pretrain_on(sources, out, Settings(epochs, batch_size, side, width, seed))


@app.command("app")
def page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of its address.")] = 8421,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="This machine's address for others, who then need a token; 0.0.0.0: all of its "
            "addresses. Default: this machine alone.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="By which others reach it, too: that of a proxy with TLS before it."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open no browser.")
    ] = False,
) -> None:
    """Open a page for clips in a browser: see faces followed, and what models answer over time.

    Example: facewave app
    """
    from facewave.app.page.command import serve

    serve(port, host, name, not no_browser)


@datasets.callback(invoke_without_command=True)
def list_datasets(context: typer.Context) -> None:
    """The corpora that can be read, and what is in your copy of one; alone, a list of them.

    Example: facewave datasets
    """
    if context.invoked_subcommand is None:
        from facewave.app.datasets import show_all

        show_all()


@datasets.command("show")
def show_dataset(name: Annotated[str, typer.Argument(help="A reader's name.")]) -> None:
    """Describe one corpus: words, published counts, files, where to get it, licence.

    Example: facewave datasets show ravdess
    """
    from facewave.app.datasets import show_one

    show_one(name)


@datasets.command("check")
def check_dataset(
    name: Annotated[str, typer.Argument(help="A reader; or, alone, a dataset of params.yaml.")],
    root: Annotated[Path | None, typer.Argument(help="The corpus's folder.")] = None,
    table: Annotated[str, typer.Option(help="The label table below the folder.")] = "",
    clips: Annotated[str, typer.Option(help="Where a clip lies below the folder.")] = "",
    track: Annotated[str, typer.Option(help="Which of its labels. Default: all.")] = "",
    words: Annotated[
        str, typer.Option(help="own, seven, compound, or the words: happy,sad,...")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="OURS=THEIRS: what a column of the table holds. May be repeated."),
    ] = None,
) -> None:
    """Report what a corpus's folder has, what is missing or left out, and how the counts differ.

    The options are those of an entry in params.yaml. The exit status is 1 unless all is there,
    readable and as published.

    Example: facewave datasets check demo
    """
    from facewave.app.datasets import check

    if wrong := [pair for pair in column or [] if "=" not in pair]:
        raise UserError(f"--column is {wrong[0]!r}. Write OURS=THEIRS, such as actual=emotion.")
    columns = dict(pair.split("=", 1) for pair in column or [])
    chosen = words if words in ("", "own", "seven", "compound") else words.split(",")
    given = {"table": table, "clips": clips, "track": track, "words": chosen, "columns": columns}
    if not check(name, root, {option: value for option, value in given.items() if value}):
        raise typer.Exit(1)


@datasets.command("add")
def add_dataset(
    name: Annotated[str, typer.Argument(help="Its name in params.yaml.")],
    folder: Annotated[Path, typer.Argument(help="The folder of clips and table.")],
    table: Annotated[str, typer.Option(help="A .csv, .tsv or .xlsx in it, a row a clip.")],
    clips: Annotated[
        str, typer.Option(help="Where a clip lies in it, unless the table has paths.")
    ] = "",
    label: Annotated[
        list[str] | None, typer.Option(help="The column to learn; more of numbers may follow.")
    ] = None,
) -> None:
    """Add clips of your own to params.yaml, after checking that they can be trained on.

    Example: facewave datasets add ours recordings --table labels.csv --clips 'videos/{clip}.mp4'
    """
    from facewave.app.add import add

    add(name, folder, table, clips, label or [])


@datasets.command("leaks")
def check_leaks(
    train: Annotated[str, typer.Argument(help="The dataset of params.yaml to train on.")],
    test: Annotated[str, typer.Argument(help="The one whose test parts are tested on.")],
) -> None:
    """Tell whether a model trained on one dataset may be tested on another.

    Example: facewave datasets leaks demo demo
    """
    from facewave.app.datasets import shared

    if not shared(train, test):
        raise typer.Exit(1)


@datasets.command("unpack-fer2013")
def unpack_fer2013(
    root: Annotated[Path, typer.Argument(help="The folder of fer2013.csv.")],
) -> None:
    """Write the pictures of FER2013, which its table contains, beside it.

    Example: facewave datasets unpack-fer2013 corpora/fer2013
    """
    from facewave.labels.readers.fer2013 import unpack

    print(f"{unpack(root)} pictures written")


def run() -> None:
    """Entry point: a person's mistake gets a sentence, not a traceback."""
    explain(app)


if __name__ == "__main__":
    run()
