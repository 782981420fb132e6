"""``facewave compare``: is one run better than another on the same test clips?"""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facewave import params
from facewave.errors import UserError
from facewave.evaluation import measures, paired

PREDICTIONS = Path("metrics/evaluate/predictions.csv")
_MODEL = "model"
_CLIP = ["partition", "video_idx", "file_path"]
_COLUMNS = [*_CLIP, "role", "subject", "source", "actual", "predicted"]


@dataclass(frozen=True, eq=False)
class Run:
    """One model's answers.

    Attributes:
        name: as it was asked for.
        rows: of the table of answers, one per test clip and partition.
        words: all words, in the order of the table's probabilities.
    """

    name: str
    rows: pd.DataFrame
    words: tuple[str, ...]


def compare(first: str, second: str) -> None:
    """Print the differences of WAR and UAR, and the sentence that can be written of them.

    Args:
        first: a run: a role of the present metrics/evaluate/predictions.csv (model, logistic), or
            REV or REV:ROLE, where REV is a git revision, a DVC experiment or another
            predictions.csv. A role goes before a revision of the same name; REV:ROLE is always a
            revision.
        second: another.

    Raises:
        UserError: there is no such run, or they were not tested on the same clips with the same
            labels and folds.
    """
    settings = params.load().evaluate
    runs = same_clips(read(first), read(second))
    # Groups and folds are numbered alike: whose a clip is, the first run says.
    owned = runs[1].rows.assign(**{name: runs[0].rows[name] for name in ("subject", "source")})
    words = runs[0].words
    found = paired.compare(
        measures.from_table(runs[0].rows, words),
        measures.from_table(owned, words),
        **asdict(settings),
    )
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table((first, second), found))
    grouped_by = measures.grouped_by(runs[0].rows)
    console.print(escape(paired.sentence((first, second), found, grouped_by)))


def read(name: str) -> Run:
    """Find a run by its name.

    Raises:
        UserError: there is none, or its file cannot be read.
    """
    if PREDICTIONS.is_file():
        present = _parse(PREDICTIONS.read_bytes(), str(PREDICTIONS))
        if name in set(present["role"]):
            return _run(name, present, name, str(PREDICTIONS))
    source, role = name, _MODEL
    if ":" in name:
        source, _, role = name.rpartition(":")
    if Path(source).is_file():
        return _run(name, _parse(Path(source).read_bytes(), source), role, source)
    return _run(name, _parse(_at_revision(source), f"{source}:{PREDICTIONS}"), role, source)


def _at_revision(rev: str) -> bytes:
    import dvc.api  # takes a second to load
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    try:
        return dvc.api.read(str(PREDICTIONS), rev=rev, mode="rb")
    except SCMError as error:
        raise UserError(
            f"{rev!r} names no run: it is no role in {PREDICTIONS}, no file, and no git revision "
            f"or DVC experiment ({error}). See dvc exp show and git log."
        ) from None
    except DvcException as error:
        raise UserError(f"{rev} has no {PREDICTIONS} that can be read ({error}).") from None


def _parse(content: bytes, where: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        lacking = [name for name in _COLUMNS if name not in table]
        if lacking:
            raise UserError(f"{where} is no table of answers: it has no column {lacking[0]!r}.")
        probabilities = [name for name in table if name.startswith("p_")]
        return table.astype(dict.fromkeys(probabilities, float))
    except ValueError as error:  # pandas' own are ValueErrors as well
        said = str(error).strip()
        raise UserError(f"{where} cannot be read as a table of answers: {said}.") from None


def _run(name: str, table: pd.DataFrame, role: str, where: str) -> Run:
    rows = table[table["role"] == role].reset_index(drop=True)
    if rows.empty:
        has = ", ".join(table["role"].unique()) or "none"
        raise UserError(f"{where} has no role {role!r}; it has {has}.")
    words = tuple(column.removeprefix("p_") for column in table if column.startswith("p_"))
    strange = (set(rows["actual"]) | (set(rows["predicted"]) - {measures.UNREADABLE})) - set(words)
    if strange:
        raise UserError(f"{where}: {min(strange)!r} has no column of probabilities.")
    twice = rows[rows[_CLIP].duplicated()]
    if len(twice):
        raise UserError(f"{where} has clip {_clip(twice.iloc[0])} of role {role!r} twice.")
    return Run(name, rows, words)


def same_clips(first: Run, second: Run) -> tuple[Run, Run]:
    """Both runs' answers on the folds that both have (else on the split), in the same order.

    Raises:
        UserError: the runs have no partition in common, know other words, or in these partitions
            have other clips or labels.
    """
    if set(first.words) != set(second.words):
        alone = min(set(first.words) ^ set(second.words))
        raise UserError(
            f"{first.name} and {second.name} choose among different words ({alone!r} is in one "
            "alone), so they cannot be compared. Evaluate both with the same words."
        )
    common = set(first.rows["partition"]) & set(second.rows["partition"])
    chosen = common - {"split"} or common
    if not chosen:
        had = (", ".join(run.rows["partition"].unique()) for run in (first, second))
        raise UserError(
            f"{first.name} was tested on partition {next(had)}, {second.name} on {next(had)}: none "
            "in common. Train and evaluate both on the same train.partitions."
        )
    left, right = (
        run.rows[run.rows["partition"].isin(chosen)].sort_values(_CLIP, ignore_index=True)
        for run in (first, second)
    )
    both = left.merge(right, on=_CLIP, how="outer", suffixes=("", "_other"), indicator=True)
    differing = both[(both["_merge"] != "both") | (both["actual"] != both["actual_other"])]
    if len(differing):
        one = differing.iloc[0]
        match one["_merge"]:
            case "left_only":
                said = f"is tested by {first.name} alone"
            case "right_only":
                said = f"is tested by {second.name} alone"
            case _:
                said = f"is {one['actual']} for {first.name}, "
                said += f"{one['actual_other']} for {second.name}"
        raise UserError(
            f"{first.name} and {second.name} were not tested on the same clips with the same "
            f"labels and folds: {len(differing)} of {len(both)} differ; clip {_clip(one)} {said}. "
            "Evaluate both on the same dataset with the same labels."
        )
    return Run(first.name, left, first.words), Run(second.name, right, second.words)


def _clip(row: "pd.Series[str]") -> str:
    return f"{row['video_idx']} ({row['file_path']}) in partition {row['partition']}"


def _table(names: tuple[str, str], found: paired.Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in (*(f"{escape(name)} (%)" for name in names), "difference", "95 % interval", "p"):
        table.add_column(name, justify="right")
    for name, one in found.differences.items():
        figures = (one.first, one.second, one.value)
        table.add_row(
            name.upper(),
            *(f"{100 * value:.1f}" for value in figures),
            f"{100 * one.low:.1f} to {100 * one.high:.1f}",
            f"{one.p:.2g}",
        )
    return table
