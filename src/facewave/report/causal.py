"""The page's sentences on numbers that know no future. Pure."""

from facewave.report.cells import number, value_of
from facewave.report.results import Record, Records
from facewave.report.sentences import difference, synthetic, verdict
from facewave.report.tables import kind
from facewave.report.tasks import MEASURES

_ANSWER = {
    "better": "which is better",
    "worse": "which is worse",
    "cannot be told": "and whether that is worse cannot be told from these clips",
}


def of_causal(records: Records, about: str) -> str:
    """What is lost by numbers of the past alone; ``about`` is the dataset's description."""
    counts = records[-1]["measure"]  # of each way, the one that counts stands last
    offline, end, own, same, *learnt = (r for r in records if r["measure"] == counts)
    measure, window = MEASURES[counts], _seconds(offline["window_s"])
    sentences = [
        f"By the numbers of whole clips the {kind(offline['model'])} has "
        f"{measure.of(offline['figure'])} {measure.title}. By those of the past alone, at the last "
        f"frame and over a window as long as the clip, it has {_compared(own)}. Over a window of "
        f"{window} for all clips it has {_compared(same)}; by the offline numbers of the last "
        f"{window} it has {measure.of(end['figure'])}.",
        "If it learns from causal numbers, it has "
        f"{' and '.join(measure.of(record['figure']) for record in learnt)}.",
    ]
    if own["agree"]:
        shares = " and ".join(
            f"{number(100 * value_of(of['agree']), 0)}\u00a0%" for of in (own, same)
        )
        sentences.append(f"The word is that of the offline way in {shares} of the clips.")
    sentences.append(
        f"What the mean tells is {_seconds(own['delay_s'])} old on average over a window of "
        f"{window}, what the slowest octave tells {_seconds(own['slowest_s'])}."
    )
    if synthetic(about):
        sentences.append("The clips are synthetic: of real faces this says nothing.")
    return " ".join(sentences)


def _compared(record: Record) -> str:
    measure = MEASURES[record["measure"]]
    return (
        f"{measure.of(record['figure'])}, {_ANSWER[verdict(record)]}: {difference(record, measure)}"
    )


def _seconds(value: str) -> str:
    return f"{number(value, 2)} s"
