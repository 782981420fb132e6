"""Damaged label files: refused, or read without a word that nobody wrote, and never a traceback.

A damaged line may say anything; an undamaged line must say what it said before, or nothing.
"""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels.readers import CORPORA
from miniatures import CASES, check_damaged, damage, write


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
