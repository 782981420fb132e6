"""``facewave compare``: is one run better than another on the same test clips?"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facewave import params
from facewave.app import shared_answers
from facewave.errors import UserError
from facewave.evaluation import paired
from facewave.evaluation.intervals import grouped_by
from facewave.evaluation.task import Task
from facewave.evaluation.tasks import tasks
from facewave.prediction import schema as prediction
from facewave.workspace import SHARED_ANSWERS

_CLIP = ["partition", "video_idx"]


@dataclass(frozen=True, eq=False)
class Run:
    """One model's answers."""

    name: str  # as the command was called with
    rows: pd.DataFrame  # of the table of answers, one per test clip and partition
    models: prediction.Models  # who answered what

    def tasks(self) -> dict[str, Task]:
        """What it answers, by name; of numbers those that it answers."""
        settings = params.load().evaluate
        found = tasks(self.models, settings)
        numbers = [column for target in self.models.targets for column in target.numbers]
        answered = self.rows[numbers].notna().any()
        return {
            key: task.narrowed(
                [
                    name
                    for target in task.targets
                    for name, column in zip(target.names, target.numbers, strict=True)
                    if answered[column]
                ]
            )
            for key, task in found.items()
            if len(task.rows(self.rows))
        }


def compare(first: str, second: str, name: str = "") -> None:
    """Print the differences of two runs, and the sentence that can be written about them.

    ``name`` is that of the task (evaluation/tasks.py), by default the first that both answer: of
    words WAR and UAR are compared, of numbers CCC and RMSE, of action units F1 or ICC.

    A run is a role of the present data/answers (model, logistic), or REV or REV:ROLE, where REV is
    a git revision, a DVC experiment, or another folder with answers; or answers that were imported
    by that name, a .zip that ``facewave answers export`` wrote (with :ROLE for another role than
    the model), or published tables: a .csv, or a folder or pattern of one a fold. A role takes
    precedence over all others; REV:ROLE is never a role.

    Raises:
        UserError: there is no such run, they answer no such task, or were not tested on the same
            clips with the same labels and folds.
    """
    runs = read(first), read(second)
    task = common_task(*runs, name)
    one, other = (replace(run, rows=task.rows(run.rows)) for run in runs)
    left, right = same_clips(one, other, task)
    # Groups and folds are numbered alike: the first run says whose a clip is.
    owners = {column: left.rows[column] for column in ("subject", "source", "file_path")}
    found = paired.compare(
        task.coded(left.rows),
        task.coded(right.rows.assign(**owners)),
        task.compared,
        **task.settings.bootstrap,
    )
    names = (_short(first), _short(second))
    console = Console(highlight=False, soft_wrap=True)
    foremost = task.foremost(left.rows)
    console.print(_table(names, found, foremost.in_points))
    over = grouped_by(left.rows)
    console.print(escape(paired.sentence(names, found, foremost, over)))


def common_task(first: Run, second: Run, name: str = "") -> Task:
    """The task that both runs answer, over the targets that both have.

    Raises:
        UserError: there is none of this name, they choose among other words, or have no target in
            common.
    """
    one, other = first.tasks(), second.tasks()
    common = [key for key in one if key in other]
    if name and name not in common:
        raise UserError(
            f"{first.name} and {second.name} do not both answer {name!r}; both answer "
            f"{', '.join(common) or 'nothing'}. Name one of these with --task."
        )
    if not common:
        raise UserError(
            f"{first.name} answers {', '.join(one)}, {second.name} {', '.join(other)}: no task in "
            "common. Train both with the same train.targets."
        )
    key = name or common[0]
    task, theirs = one[key], other[key]
    if task.kind != theirs.kind or (task.kind == "words" and set(task.names) != set(theirs.names)):
        alone = min(set(task.names) ^ set(theirs.names) or {task.kind})
        raise UserError(
            f"{first.name} and {second.name} choose among different words ({alone!r} is in one "
            "alone), so they cannot be compared. Make both answer with the same words."
        )
    if not set(task.names) & set(theirs.names):
        raise UserError(
            f"{first.name} answers {', '.join(task.names)}, {second.name} "
            f"{', '.join(theirs.names)}: none in common. Train both with the same train.targets."
        )
    return task.narrowed(theirs.names)


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
    rows = answers[answers["role"] == role].reset_index(drop=True)
    if rows.empty:
        raise UserError(f"{where} has no role {role!r}; it has {', '.join(models.roles)}.")
    return Run(name, rows, replace(models, roles={role: models.roles[role]}))


def same_clips(first: Run, second: Run, task: Task) -> tuple[Run, Run]:
    """Both runs' answers on the folds that both have (else on the split), in the same order.

    Raises:
        UserError: the runs have no partition in common, or in these partitions other clips or
            another truth.
    """
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
    truths = {column: _differs(both[column], both[f"{column}_other"]) for column in task.actual}
    is_other = (both["_merge"] != "both") | np.any([*truths.values()], axis=0) | elsewhere
    differing = both[is_other]
    if len(differing):
        row = differing.iloc[0]
        at = differing.index[0]
        what = next((name for name, differs in truths.items() if differs[at]), "file_path")
        difference = {
            "left_only": f"is tested by {first.name} alone",
            "right_only": f"is tested by {second.name} alone",
            "both": f"is {_told(row[what])} for {first.name}, {_told(row[f'{what}_other'])} for "
            f"{second.name}",
        }[row["_merge"]]
        raise UserError(
            f"{first.name} and {second.name} were not tested on the same clips with the same "
            f"labels and folds: {len(differing)} of {len(both)} differ; clip {row['video_idx']} "
            f"({row['file_path']}) in partition {row['partition']} {difference}. Test both on the "
            "same dataset with the same labels."
        )
    return replace(first, rows=left), replace(second, rows=right)


def _told(truth: str | float) -> str:
    return truth if isinstance(truth, str) else f"{truth:.4g}"


def _differs(one: pd.Series, other: pd.Series) -> pd.Series:
    """Where truths are not the same, but for rounding; what neither knows is the same."""
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return pd.Series(~np.isclose(one, other, rtol=0, atol=1e-6, equal_nan=True), one.index)
    return one != other


def _table(names: tuple[str, str], found: paired.Comparison, in_points: bool) -> Table:
    unit, told = (" (%)", paired.points) if in_points else ("", paired.decimals)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in (*(f"{escape(name)}{unit}" for name in names), "difference", "95 % interval", "p"):
        table.add_column(name, justify="right")
    for name, difference in found.differences.items():
        figures = (difference.first, difference.second, difference.value)
        table.add_row(
            escape(name.upper() if name.islower() else name),
            *map(told, figures),
            f"{told(difference.low)} to {told(difference.high)}",
            f"{difference.p:.2g}",
        )
    return table
