"""The rules of cleaning, each stated once. Pure: it is told about files, it opens none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from facewave.errors import UserError
from facewave.labels.schema import Reason, votes_json


@dataclass(frozen=True)
class FileFact:
    """What is known of one clip's file.

    Attributes:
        exists: it is there.
        problem: why it cannot be opened, or "".
        twin: the same for all files with the same bytes, or "" if no other file has them.
    """

    exists: bool
    problem: str = ""
    twin: str = ""


def clean(raw: pd.DataFrame, facts: Mapping[str, FileFact], words: tuple[str, ...]) -> pd.DataFrame:
    """Judge each row of a reader's table.

    The rules, in their order:
      - an empty row is left out;
      - a clip named in several rows: equal rows count once (the first), rows that differ in label
        or votes are all left out, since nobody knows which is right;
      - a missing or unopenable file is left out;
      - the same bytes under several names: as for rows, by the label;
      - label 0 (no single label) keeps its votes and is left out of single-label work;
      - a tie of the highest votes, or a label that is not the word with most votes, is left out;
      - where a table gives official folds, a clip without one is left out, as the corpus does.

    Args:
        raw: row, video_idx, file_path, word, votes, subject, fold (see the readers).
        facts: for each file_path.
        words: the corpus's word list.

    Returns:
        The rows in their order with label, actual, votes (JSON), excluded and note.
    """
    table = raw.assign(excluded="", note="")
    _exclude(table, raw["video_idx"] == "", Reason.EMPTY_ROW, "")
    _repeated(table, "video_idx", Reason.DUPLICATE_ROW, Reason.CONFLICTING_ROWS, ["word", "votes"])

    path = table["file_path"]
    fact = path.map(lambda name: facts.get(name, FileFact(exists=False)))
    _exclude(table, ~fact.map(lambda f: f.exists).astype(bool), Reason.MISSING_FILE, path)
    problem = fact.map(lambda f: f.problem)
    _exclude(table, problem != "", Reason.UNREADABLE_FILE, path + ": " + problem)
    table["twin"] = fact.map(lambda f: f.twin).where(lambda twin: twin != "", path)
    _repeated(table, "twin", Reason.DUPLICATE_CLIP, Reason.CONFLICTING_CLIPS, ["word"])

    word, said = table["word"], table["votes"].map(_say)
    _exclude(table, word == "", Reason.NO_SINGLE_LABEL, said)
    winners = table["votes"].map(_winners)
    _exclude(table, winners.map(len) > 1, Reason.VOTE_TIE, said)
    pairs = zip(winners, word, strict=True)
    against = pd.Series([bool(won) and name not in won for won, name in pairs], table.index)
    _exclude(table, against, Reason.CONTRADICTED, "label " + word + ", votes " + said)

    if raw["fold"].notna().any():
        _exclude(table, raw["fold"].isna(), Reason.NO_OFFICIAL_FOLD, "")

    codes = {word: code for code, word in enumerate(words)}
    return table.assign(
        label=table["word"].map(codes).astype("Int64"),
        actual=table["word"],
        votes=table["votes"].map(votes_json),
    ).drop(columns=["word", "twin"])


def check_inside(path: str, table: str, row: int) -> None:
    """Refuse a clip's path that leaves the dataset's folder.

    Links inside the folder are the owner's own choice and are followed; the words of a table,
    which may come from anywhere, are not trusted.

    Raises:
        UserError: the path is absolute or climbs out with "..".
    """
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UserError(
            f"{table}, row {row}: the path {path!r} leaves the dataset's folder. Use a path below "
            "it, without '..'."
        )


def report(table: pd.DataFrame) -> dict[str, object]:
    """Counts of a finished label table: rows, per word, per part and fold, per reason with rows."""
    kept = table[table["excluded"] == ""]
    out = table[table["excluded"] != ""]
    return {
        "rows": len(table),
        "kept": len(kept),
        "excluded": len(out),
        "subjects": int(kept["subject"].replace("", pd.NA).nunique()),
        "classes": {word: int(n) for word, n in _counts(kept["actual"]).items()},
        "split": {part: int((kept["split"] == part).sum()) for part in ("train", "val", "test")},
        "folds": {str(fold): int(n) for fold, n in _counts(kept["fold"]).items()},
        "reasons": {
            str(reason): {"count": len(group), "rows": ", ".join(map(str, group["row"]))}
            for reason, group in out.groupby("excluded")
        },
    }


def _counts(column: pd.Series) -> pd.Series:
    return column.dropna().value_counts().sort_index()


def _exclude(table: pd.DataFrame, where: pd.Series, reason: Reason, note: pd.Series | str) -> None:
    """Give ``reason`` to the rows of ``where`` that have none yet (in place)."""
    fresh = where & (table["excluded"] == "")
    table.loc[fresh, "excluded"] = reason.value
    table.loc[fresh, "note"] = note if isinstance(note, str) else note[fresh]


def _repeated(
    table: pd.DataFrame, key: str, same: Reason, different: Reason, compared: list[str]
) -> None:
    """Handle rows that share ``key``: equal in ``compared`` -> the first stays; else none."""
    candidates = table[(table["excluded"] == "") & (table[key] != "")]
    for _, group in candidates[candidates.duplicated(key, keep=False)].groupby(key, sort=False):
        content = group[compared].to_dict("records")
        equal = all(row == content[0] for row in content)
        where = pd.Series(table.index.isin(group.index[1:] if equal else group.index), table.index)
        note = "rows " + ", ".join(map(str, group["row"]))
        _exclude(table, where, same if equal else different, note)


def _winners(votes: dict[str, int] | None) -> list[str]:
    top = max(votes.values(), default=0) if votes else 0
    return [word for word, n in votes.items() if n == top] if votes and top else []


def _say(votes: dict[str, int] | None) -> str:
    if not votes or not any(votes.values()):
        return "no votes"
    ranked = sorted(votes.items(), key=lambda item: -item[1])
    return " ".join(f"{word}:{n}" for word, n in ranked if n)
