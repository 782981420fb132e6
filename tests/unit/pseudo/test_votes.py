"""The vote of several tracks: majorities, ties by probability, never by order."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from facewave.pseudo.schema import ANSWER, PRIOR, REFUSED
from facewave.pseudo.tracks import CLIP
from facewave.pseudo.votes import vote

WORDS = ("happy", "sad", "fear")


def track(*rows: str | Sequence[float]) -> pd.DataFrame:
    """Answers to the clips 0, 1, ...: words, "" for a refusal, or probabilities."""
    made = []
    for row in rows:
        shares = [np.nan] * 3 if isinstance(row, str) else list(row)
        word = row if isinstance(row, str) else WORDS[int(np.argmax(row))]
        origin = ANSWER if word else REFUSED
        made.append({"predicted": word, "origin": origin, "confidence": np.nan, "source": "x"}
                    | dict(zip(("p_happy", "p_sad", "p_fear"), shares, strict=True)))  # fmt: skip
    return pd.DataFrame(made).assign(**clips(len(rows)).to_dict("list"))


def clips(n: int) -> pd.DataFrame:
    names = list(map(str, range(n)))
    return pd.DataFrame(dict.fromkeys(CLIP, names))


def test_the_majority_decides_and_its_share_is_the_confidence() -> None:
    tracks = {"a": track("sad", "", ""), "b": track("sad", "fear", ""), "c": track("happy", "", "")}
    found = vote(tracks, clips(3), WORDS)
    assert found["predicted"].tolist() == ["sad", "fear", ""]
    np.testing.assert_array_equal(found["confidence"], [0.6667, 0.3333, np.nan])
    assert found["source"].tolist() == ["vote of a, b", "vote of b", "undecided vote of nobody"]
    assert found["origin"].tolist() == [ANSWER, ANSWER, REFUSED]
    shares = [[0.3333, 0.6667, 0], [0, 0, 1], 3 * [np.nan]]
    np.testing.assert_array_equal(found[["p_happy", "p_sad", "p_fear"]], shares)


def test_where_all_give_probabilities_their_mean_counts() -> None:
    tracks = {"a": track([0.1, 0.6, 0.3]), "b": track([0.2, 0.5, 0.3]), "c": track([0.9, 0.1, 0])}
    found = vote(tracks, clips(1), WORDS).iloc[0]
    assert (found["predicted"], found["confidence"]) == ("sad", 0.4)  # by votes, not by the mean
    assert (found["p_happy"], found["source"]) == (0.4, "vote of a, b")


def test_ties_go_by_the_mean_probability_and_else_to_nobody() -> None:
    sure, unsure = track([0.9, 0.1, 0]), track([0.4, 0.6, 0])
    for order in (("a", "b"), ("b", "a")):
        tracks = {"a": sure, "b": unsure}
        found = vote({name: tracks[name] for name in order}, clips(1), WORDS).iloc[0]
        assert found["predicted"] == "happy"
        even = {"a": track([0.6, 0.4, 0]), "b": track([0.4, 0.6, 0])}
        found = vote({name: even[name] for name in order}, clips(1), WORDS).iloc[0]
        assert (found["predicted"], found["origin"]) == ("", REFUSED)
        silent = {"a": track("sad"), "b": track("happy")}
        found = vote({name: silent[name] for name in order}, clips(1), WORDS).iloc[0]
        assert (found["predicted"], found["source"]) == (
            "",
            f"undecided vote of {', '.join(order)}",
        )


def test_an_answer_to_nothing_seen_and_a_clip_that_a_track_lacks_are_no_votes() -> None:
    prior = track("happy", "happy").assign(origin=PRIOR)
    found = vote({"a": prior, "b": track("sad")}, clips(2), WORDS)
    assert found["predicted"].tolist() == ["sad", ""]
    assert found["confidence"].tolist()[0] == 0.5


ROWS = st.lists(st.sampled_from((*WORDS, "")), min_size=4, max_size=4)
SHARES = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=4, max_size=4)


@given(st.lists(ROWS | SHARES, min_size=2, max_size=5), st.randoms())
def test_the_order_of_tracks_changes_nothing(rows: list[list[str]], random: object) -> None:
    def read(one: list[str]) -> pd.DataFrame:
        return track(*(row if isinstance(row, str) else np.divide(row, sum(row)) for row in one))

    tracks = {str(number): read(one) for number, one in enumerate(rows)}
    names = list(tracks)
    random.shuffle(names)  # type: ignore[attr-defined]
    columns = ["predicted", "confidence", "origin", "p_happy", "p_sad", "p_fear"]
    one, other = (vote({name: tracks[name] for name in order}, clips(4), WORDS)[columns]
                  for order in (list(tracks), names))  # fmt: skip
    pd.testing.assert_frame_equal(one, other, atol=2e-4)
    said = np.stack([table["predicted"] for table in tracks.values()])
    for row, word in enumerate(one["predicted"]):
        counts = [int((said[:, row] == name).sum()) for name in WORDS]
        assert not word or counts[WORDS.index(word)] == max(counts)
        assert word or max(counts) == 0 or counts.count(max(counts)) > 1
