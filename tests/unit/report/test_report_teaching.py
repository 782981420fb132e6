"""What the page says of pseudo-labels."""

from facewave.report.teaching import of_teaching

RECORD = {
    "network": "resnet18", "way": "two stages", "error": "0.0", "accuracy": "1.0", "corpus": "all",
    "measure": "f1", "n": "60", "figure": "0.75", "low": "0.7", "high": "0.8",
    "difference": "0.25", "difference_low": "0.2", "difference_high": "0.3", "p": "0.001",
    "turns_at": "0.62", "turns_at_low": "0.5", "turns_at_high": "inf",
}  # fmt: skip


def said_of(*records: dict[str, str]) -> str:
    return of_teaching(list(records)).replace("\u00a0", " ")


def test_it_says_what_the_best_pseudo_labels_do_and_where_it_turns() -> None:
    labels = RECORD | {"way": "labels", "error": "", "accuracy": "", "turns_at": ""}
    worse = RECORD | {"error": "0.6", "accuracy": "0.4", "figure": "0.1"}
    other = RECORD | {"corpus": "film", "way": "together"}
    told = said_of(labels, worse, RECORD, other)
    assert told == (
        "resnet18 by labels, then pseudo-labels, of which 100 % are right, reaches a macro F1 of "
        "75.0 %, better than by labels alone: a difference of 25.0 points (95 % interval 20.0 to "
        "30.0, p = 0.001). It is better from 62 % right pseudo-labels on (95 % interval: 50 % to "
        "none of those tried; interpolated, and not below the lowest share that was tried)."
    )
    never = {"turns_at": "inf", "turns_at_low": "0.9"}
    assert said_of(RECORD | never).endswith(
        "At no accuracy that was tried is it better than labels alone (95 % interval: 90 % to none "
        "of those tried)."
    )
    assert said_of(RECORD | never | {"turns_at_low": "inf"}).endswith(
        "(95 % interval: none of those tried)."
    )
    unknown = RECORD | dict.fromkeys(("error", "accuracy", "turns_at"), "") | {"way": "together"}
    told = said_of(labels, unknown)
    assert told.startswith("resnet18 by labels and pseudo-labels together reaches a macro F1 of 75")
    assert told.endswith("p = 0.001).")


def test_a_loss_is_called_a_loss() -> None:
    lost = {"difference": "-0.05", "difference_low": "-0.08", "difference_high": "-0.02"}
    assert "worse than by labels alone: a difference of -5.0 points" in said_of(RECORD | lost)
    unclear = lost | {"difference_high": "0.02"}
    assert "whether that is better than by labels alone cannot be told" in said_of(RECORD | unclear)
