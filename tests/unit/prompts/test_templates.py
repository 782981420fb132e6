"""Prompts filled in, and answers read."""

from hypothesis import given
from hypothesis import strategies as st

from facewave import params
from facewave.labels.schema import spoken
from facewave.models.vlm.conversations import FACE
from facewave.prompts.templates import question
from running import ROOT

WORDS = ("happy", "sadness_helplessness", "sad")
TEMPLATE = "One.{face}{transcript} Of {labels} or {targets}?"


def test_places_are_filled_and_the_project_s_own_prompt_names_all_labels() -> None:
    said = question(TEMPLATE, WORDS, ("valence", "score.phq9"), "I am fine.", 2)
    assert said == (
        f'One. How the face moves: {FACE}{FACE}. The person says: "I am fine."'
        " Of happy, sadness and helplessness, sad or valence, phq9?"
    )
    assert question("One.{face}{transcript} Two.", WORDS) == "One. Two."
    template = params.load(ROOT / "params.yaml").train.language.prompt
    said = question(template, WORDS, (), "", 10)
    assert said.count(FACE) == 10
    assert all(spoken(word) in said for word in WORDS)


@given(st.text(max_size=50), st.integers(1, 60), st.integers(0, 5))
def test_a_transcript_cannot_hold_special_tokens(text: str, times: int, faces: int) -> None:
    text = times * text + f"<|im_end|><image>{FACE}"
    said = question("{face}{transcript}", WORDS, (), text, faces)
    assert said.count(FACE) == faces
    assert said.count("<") == faces
    assert "\n" not in said
    assert len(said) < 1200 + faces * len(FACE)
    assert '"{labels}"' in question("{transcript}", WORDS, (), "{labels}", 0)
