"""``facewave compare``: is one run better than another on the same test clips?"""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facewave import params
from facewave.app import shared_answers
from facewave.errors import UserError
from facewave.evaluation import measures, paired
from facewave.evaluation.intervals import grouped_by
from facewave.prediction import schema as prediction
from facewave.workspace import SHARED_ANSWERS

_CLIP = ["partition", "video_idx"]


@dataclass(frozen=True, eq=False)
class Run:
    """One model's answers."""

    name: str  # as the command was called with
    rows: pd.DataFrame  # of the table of answers, one per test clip and partition
    words: tuple[str, ...]  # the classes, in the order of their codes


def compare(first: str, second: str) -> None:
    """Print the differences of WAR and UAR, and the sentence that can be written about them.

    A run is a role of the present data/answers (model, logistic), or REV or REV:ROLE, where REV is
    a git revision, a DVC experiment, or another folder with answers; or answers that were imported
    by that name, a .zip that ``facewave answers export`` wrote (with :ROLE for another role than
    the model), or published tables: a .csv, or a folder or pattern of one a fold. A role takes
    precedence over all others; REV:ROLE is never a role.

    Raises:
        UserError: there is no such run, or they were not tested on the same clips with the same
            labels and folds.
    """
    settings = params.load().evaluate
    runs = same_clips(read(first), read(second))
    # Groups and folds are numbered alike: the first run says whose a clip is.
    owners = {name: runs[0].rows[name] for name in ("subject", "source", "file_path")}
    words = runs[0].words
    found = paired.compare(
        measures.from_table(runs[0].rows, words),
        measures.from_table(runs[1].rows.assign(**owners), words),
        **asdict(settings),
    )
    names = (_short(first), _short(second))
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(names, found))
    over = grouped_by(runs[0].rows)
    console.print(escape(paired.sentence(names, found, over)))


def _short(name: str) -> str:
    """A run's name, of a file without its folder and end."""
    path = Path(name)
    return path.stem if path.suffix in (".csv", shared_answers.SUFFIX) else name


def read(name: str) -> Run:
    """Find a run by its name.

    Raises:
        UserError: there is none, or its files cannot be read.
    """
    if (prediction.ROOT / prediction.ANSWERS).is_file():
        answers, models = prediction.read()
        if name in models.roles:
            return _run(name, answers, models, name, str(prediction.ROOT))
    source, _, role = name.rpartition(":") if ":" in name else (name, "", prediction.MODEL)
    imported = SHARED_ANSWERS / f"{source}{shared_answers.SUFFIX}"
    if imported.is_file() or source.endswith(shared_answers.SUFFIX):
        answers, models = shared_answers.read(imported if imported.is_file() else Path(source))
    elif shared_answers.are_tables(source):
        answers, models, _ = shared_answers.from_tables(shared_answers.tables_of([source]), source)
    elif (Path(source) / prediction.ANSWERS).is_file():
        answers, models = prediction.read(Path(source))
    else:
        answers, models = _at_revision(source)
    return _run(name, answers, models, role, source)


def _at_revision(rev: str) -> tuple[pd.DataFrame, prediction.Models]:
    import dvc.api  # takes a second to load
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError
    from dvc_data.index import DataIndexDirError

    try:
        answers, models = (
            dvc.api.read(str(prediction.ROOT / name), rev=rev, mode="rb")
            for name in (prediction.ANSWERS, prediction.MODELS)
        )
    except SCMError as error:
        raise UserError(
            f"{rev!r} is not a run: it is no role in {prediction.ROOT}, no imported "
            f"answers, no folder or file with answers, no git revision and no DVC experiment "
            f"({error}). See dvc exp show, git log."
        ) from None
    except (DataIndexDirError, DvcException, FileNotFoundError) as error:
        raise UserError(
            f"the answers of {rev} are not here ({error}). Fetch what DVC stored of it "
            f"(dvc pull, dvc exp pull), or check it out and make them: dvc repro predict"
        ) from None
    return prediction.parse(answers, models, f"{rev}:{prediction.ROOT}")


def _run(name: str, answers: pd.DataFrame, models: prediction.Models, role: str, where: str) -> Run:
    if models.targets:
        raise UserError(f"{where} has answers of a regression; compare knows classes only.")
    rows = answers[answers["role"] == role].reset_index(drop=True)
    if rows.empty:
        raise UserError(f"{where} has no role {role!r}; it has {', '.join(models.roles)}.")
    return Run(name, rows, models.classes)


def same_clips(first: Run, second: Run) -> tuple[Run, Run]:
    """Both runs' answers on the folds that both have (else on the split), in the same order.

    Raises:
        UserError: the runs have no partition in common or other words, or in these partitions
            other clips or labels.
    """
    if set(first.words) != set(second.words):
        alone = min(set(first.words) ^ set(second.words))
        raise UserError(
            f"{first.name} and {second.name} choose among different words ({alone!r} is in one "
            "alone), so they cannot be compared. Make both answer with the same words."
        )
    common = set(first.rows["partition"]) & set(second.rows["partition"])
    chosen = common - {"split"} or common
    if not chosen:
        tested = [", ".join(run.rows["partition"].unique()) for run in (first, second)]
        raise UserError(
            f"{first.name} was tested on partition {tested[0]}, {second.name} on {tested[1]}: none "
            "in common. Train both on the same train.partitions."
        )
    left, right = (
        run.rows[run.rows["partition"].isin(chosen)].sort_values(_CLIP, ignore_index=True)
        for run in (first, second)
    )
    both = left.merge(right, on=_CLIP, how="outer", suffixes=("", "_other"), indicator=True)
    # Answers that were exported have no paths; else clips of one name may be of two datasets.
    paths = both[["file_path", "file_path_other"]]
    elsewhere = (paths != "").all(axis=1) & (paths["file_path"] != paths["file_path_other"])
    is_other = (both["_merge"] != "both") | (both["actual"] != both["actual_other"]) | elsewhere
    differing = both[is_other]
    if len(differing):
        row = differing.iloc[0]
        what = "actual" if row["actual"] != row["actual_other"] else "file_path"
        difference = {
            "left_only": f"is tested by {first.name} alone",
            "right_only": f"is tested by {second.name} alone",
            "both": f"is {row[what]} for {first.name}, {row[f'{what}_other']} for {second.name}",
        }[row["_merge"]]
        raise UserError(
            f"{first.name} and {second.name} were not tested on the same clips with the same "
            f"labels and folds: {len(differing)} of {len(both)} differ; clip {row['video_idx']} "
            f"({row['file_path']}) in partition {row['partition']} {difference}. Test both on the "
            "same dataset with the same labels."
        )
    return Run(first.name, left, first.words), Run(second.name, right, second.words)


def _table(names: tuple[str, str], found: paired.Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in (*(f"{escape(name)} (%)" for name in names), "difference", "95 % interval", "p"):
        table.add_column(name, justify="right")
    for name, difference in found.differences.items():
        figures = (difference.first, difference.second, difference.value)
        table.add_row(
            name.upper(),
            *(f"{100 * value:.1f}" for value in figures),
            f"{100 * difference.low:.1f} to {100 * difference.high:.1f}",
            f"{difference.p:.2g}",
        )
    return table
