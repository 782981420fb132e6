"""The page's sentences on what networks owe to pseudo-labels. Pure."""

import math

from facewave.report.cells import number, value_of
from facewave.report.results import Record, Records
from facewave.report.sentences import difference, verdict
from facewave.report.tasks import MEASURES

_ALL = "all"  # corpora together
_BY_PSEUDO_LABELS = {
    "together": "labels and pseudo-labels together",
    "two stages": "labels, then pseudo-labels",
}
_THAN_LABELS = {
    "better": "better than by labels alone",
    "worse": "worse than by labels alone",
    "cannot be told": "and whether that is better than by labels alone cannot be told",
}


def of_teaching(records: Records) -> str:
    """What the pseudo-labels with the fewest mistakes do in each way, and from where they help."""
    taught = [
        record for record in records
        if record["corpus"] == _ALL and record["way"] in _BY_PSEUDO_LABELS
    ]  # fmt: skip
    best: dict[tuple[str, str], Record] = {}
    for record in sorted(taught, key=_accuracy, reverse=True):
        best.setdefault((record["network"], record["way"]), record)
    in_order = {(record["network"], record["way"]): None for record in taught}
    return " ".join(f"{_compared(best[name])}{_turn(best[name])}" for name in in_order)


def _accuracy(record: Record) -> float:
    """Of the pseudo-labels, 0 where it is not known, which is so of all or of none."""
    return value_of(record["accuracy"] or 0)


def _compared(record: Record) -> str:
    measure = MEASURES[record["measure"]]
    right = (
        f", of which {_percent(value_of(record['accuracy']))} are right," if record["accuracy"]
        else ""
    )  # fmt: skip
    return (
        f"{record['network']} by {_BY_PSEUDO_LABELS[record['way']]}{right} reaches a macro F1 of "
        f"{measure.of(record['figure'])}, {_THAN_LABELS[verdict(record)]}: a difference of "
        f"{difference(record, measure)}."
    )


def _turn(record: Record) -> str:
    """From which accuracy on pseudo-labels help, if that is known."""
    turn, low, high = (value_of(record[f"turns_at{end}"]) for end in ("", "_low", "_high"))
    if math.isnan(turn):
        return ""
    between = _between(low, high)
    if math.isinf(turn):
        return f" At no accuracy that was tried is it better than labels alone ({between})."
    return (
        f" It is better from {_percent(turn)} right pseudo-labels on ({between}; interpolated, and "
        "not below the lowest share that was tried)."
    )


def _between(low: float, high: float) -> str:
    """The interval of where it turns; infinite ends are beyond what was tried."""
    upper = "none of those tried" if math.isinf(high) else _percent(high)
    between = upper if math.isinf(low) else f"{_percent(low)} to {upper}"
    return f"95 % interval: {between}"


def _percent(accuracy: float) -> str:
    return f"{number(100 * accuracy, 0)}\u00a0%"
