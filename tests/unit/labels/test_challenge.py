"""The challenge's file of compound expressions: what is written is what is read."""

from pathlib import Path
from string import ascii_letters

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import challenge
from facewave.labels.schema import COMPOUND

HEADER = (
    "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry"
)
WORDS = st.sampled_from(COMPOUND)
NAMES = st.text(f"{ascii_letters}0123456789_-. /ä表", min_size=1, max_size=9)
PICTURES = st.builds(challenge.picture_of, NAMES, st.integers(1, 10**9 - 1))
ANY = st.tuples(st.text(max_size=9), st.text(ascii_letters + "0,\n", max_size=9))

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def words_in(path: Path) -> list[tuple[str, str]]:
    """The pictures and words of a file, as the reader of the corpus takes them."""
    return [(row["0"], challenge.label(row["1"])["word"]) for _, row in challenge.read(path)]


def test_it_has_the_challenge_s_form(tmp_path: Path) -> None:
    answers = [(challenge.picture_of("01", i + 1), word) for i, word in enumerate(COMPOUND)]
    challenge.write(tmp_path / "p.txt", answers)
    lines = (tmp_path / "p.txt").read_bytes().decode().split("\n")
    assert lines[0] == HEADER
    assert lines[1:] == [*(f"01/0000{i + 1}.jpg,{i}" for i in range(7)), ""]
    assert challenge.frame_of("b/02/00012.png") == ("b/02", "00012")


@quick
@given(st.dictionaries(PICTURES, WORDS, min_size=1, max_size=20))
def test_any_answers_come_back_a_line_each(tmp_path: Path, answers: dict[str, str]) -> None:
    path = tmp_path / "p.txt"
    content = [(picture, word) for picture, word in answers.items() if picture.strip() == picture]
    if content:
        challenge.write(path, content)
        assert words_in(path) == content
        before = path.read_bytes()
        challenge.write(path, iter(content))
        assert path.read_bytes() == before


@quick
@given(st.lists(ANY, max_size=3), WORDS)
def test_what_cannot_be_read_again_is_not_written(
    tmp_path: Path, strange: list[tuple[str, str]], word: str
) -> None:
    """Names of any characters either come back or leave the older file as it was."""
    path = tmp_path / "p.txt"
    challenge.write(path, [("01/00001.jpg", word)])
    answers = [(f"{video}/00001.jpg{end}", word) for video, end in strange]
    try:
        challenge.write(path, answers)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  (either may be)
        answers = [("01/00001.jpg", word)]
    assert words_in(path) == answers
    assert list(tmp_path.iterdir()) == [path]


def test_a_mistake_gets_a_sentence_and_the_older_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sound = tmp_path / "p.txt", ("01/00001.jpg", "Sadly_Angry")
    challenge.write(path, [sound])
    for answers, sentence in [
        ([], "there is no answer to write"),
        ([sound, sound], "'01/00001.jpg' cannot be written: it is there twice"),
        ([("00001.jpg", "Sadly_Angry")], "that is not video/number.jpg"),
        *(
            ([(f"{video}/00001.jpg", "Sadly_Angry")], "such a name cannot stand in this file")
            for video in ("a,b", "a\rb", "\udcff", " a", "\ufeffa")
        ),
        ([("01/00001.jpg", "happy")], "its answer, 'happy', is none of the seven"),
    ]:
        with pytest.raises(UserError, match=sentence):
            challenge.write(path, answers)
        assert words_in(path) == [sound]
    monkeypatch.setattr(challenge, "label", lambda field: {"word": COMPOUND[0]})
    with pytest.raises(UserError, match="would not be read as it is written"):
        challenge.write(path, [sound])
    assert path.read_text("utf-8") == f"{HEADER}\n01/00001.jpg,6\n"
