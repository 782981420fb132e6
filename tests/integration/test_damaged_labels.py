"""Damaged label files: refused, or read without a word that nobody wrote, and never a traceback.

A damaged line may say anything; an undamaged line must say what it said before, or nothing.
"""

import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import more
from facewave.labels.readers import CORPORA
from facewave.labels.records import Record, frame
from facewave.params import Dataset
from miniatures import CASES, check_damaged, damage, imdb_mat, write


@pytest.mark.parametrize(("name", "path"), CASES)
@settings(
    max_examples=50 if settings().derandomize else 1000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_damage_makes_a_word_of_another(
    name: str, path: str, tmp_path: Path, data: st.DataObject
) -> None:
    case = write(tmp_path, name, path)
    content = case.miniature.files[path]
    check_damaged(case, data.draw(damage(content, case.miniature.encoding)))


MORE = (
    b"clip,valence,dominance,AU4,AU12,score.stress,about.sex\n"
    b"a,0.5,-1,0,1,40,f\nb,-0.25,0,2.5,,,\nc,,,1,0,55.5,m\n"
)


@settings(
    max_examples=50 if settings().derandomize else 1000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=damage(MORE, "utf-8"))
def test_no_damage_of_a_further_table_makes_a_number_out_of_range(
    tmp_path: Path, content: bytes
) -> None:
    raw = frame([Record("t.csv", i, name, f"{name}.mp4") for i, name in enumerate("abc", 2)])
    (tmp_path / "more.csv").write_bytes(content)
    with suppress(UserError):
        more.join([raw], tmp_path / "more.csv")
        assert raw[["valence", "dominance"]].abs().max(axis=None) <= 1
        for units in filter(None, raw["aus"]):
            assert all(0 <= value <= 5 for value in units.values())


def test_a_number_without_end_stops_no_reader(tmp_path: Path) -> None:
    for i, (name, path) in enumerate(CASES):
        case = write(tmp_path / str(i), name, path)
        content = case.miniature.files[path]
        root = Path(case.entry.root)
        numbers = list(re.finditer(rb"[0-9]+", content))
        for number in {m.start(): m for m in (*numbers[:40], *numbers[-10:])}.values():
            damaged = content[: number.start()] + b"5" * 5000 + content[number.end() :]
            (root / path).write_bytes(damaged)
            with suppress(UserError):
                assert CORPORA[case.entry.reader].read(root, case.entry), (name, path)


def test_no_damage_of_a_structure_takes_the_process_with_it(tmp_path: Path) -> None:
    """SciPy's reader crashes on some of these."""
    chance = random.Random(0)
    (tmp_path / "imdb_crop").mkdir()
    entry, n_refused = Dataset(reader="imdb_wiki", root=str(tmp_path), about="a test"), 0
    for i in range(30):
        content = bytearray(imdb_mat("imdb", compressed=i % 3 == 0, gender=[0.0] * 5))
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(128, len(content))] = chance.randrange(256)
        (tmp_path / "imdb_crop/imdb.mat").write_bytes(content)
        try:
            records = CORPORA["imdb_wiki"].read(tmp_path, entry)
        except UserError:
            n_refused += 1
        else:
            assert len(frame(records)) == len(records)
    assert 5 < n_refused < 30
