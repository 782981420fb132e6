"""Words for numbers: where emotions lie, and what scores mean."""

import math

import pytest

from facewave import plane
from facewave.labels.readers import CORPORA


def test_every_word_of_every_corpus_lies_somewhere_but_for_other() -> None:
    words = {word for c in CORPORA.values() for track in c.tracks.values() for word in track.words}
    assert {word for word in words if plane.position(word) is None} == {"Other"}
    for word in words - {"Other"}:
        assert max(map(abs, plane.position(word) or [9])) <= 1


def test_synonyms_lie_together_and_compounds_between_their_parts() -> None:
    assert plane.position("neutral") == (0, 0, 0)
    for alike in (
        ("happy", "Happiness", "HAPPILY"),
        ("fear", "fearful"),
        ("sad", "Sadness"),
    ):
        assert len({plane.position(word) for word in alike}) == 1
    assert plane.position("angry") == (-0.51, 0.59, 0.25)
    between = pytest.approx((-0.57, 0.16, -0.04))
    assert plane.position("sadness_anger") == between == plane.position("Sadly Angry")
    assert plane.position("sadness_Other") is None
    assert plane.position("") is None


def test_the_nearest_word_to_a_word_s_own_place_is_that_word() -> None:
    assert len(set(plane.WORDS)) == len(plane.WORDS) > 20
    for word in plane.WORDS:
        at = plane.position(word)
        assert at is not None
        assert plane.nearest(*at[:2]) == word
    assert plane.nearest(0.05, -0.1) == "neutral"
    assert plane.nearest(1, 1) == "excited"
    assert plane.nearest(-1, -1) == "bored"


def test_scores_are_read_by_published_cut_points_where_there_are_some() -> None:
    for value, reading in (
        (20, "within normal limits"), (54.9, "within normal limits"), (55, "mild"),
        (60, "moderate"), (69.9, "moderate"), (70, "severe"), (99, "severe"), (math.nan, ""),
    ):  # fmt: skip
        assert plane.reading("PROMIS_depression", value) == reading
        assert plane.reading("promis anxiety", value) == reading
        assert plane.reading("PROMIS-29 Sleep-Related Impairment T", value) == reading
        assert plane.reading("promis_pain_interference", value) == reading
        for other in (
            "stress", "my promis anxiety", "promis", "promis_physical_function",
            "PROMIS Social roles", "promis_positive_affect", "promis_emotional_support",
            "promis_life_satisfaction", "promis_self_efficacy", "promis_sleep", "promis_pain",
        ):  # fmt: skip
            assert plane.reading(other, value) == "", other
