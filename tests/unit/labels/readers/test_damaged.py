"""Damaged label files: refused, or read without a word that nobody wrote, and never a traceback.

A damaged line may say anything; an undamaged line must say what it said before, or nothing.
"""

from pathlib import Path

from miniatures import CASES, check_damaged, write


def test_no_damage_makes_a_word_of_another(tmp_path: Path) -> None:
    """Two accidents a file; tests/integration/test_damaged_labels.py has thousands."""
    for i, (name, path) in enumerate(CASES):
        case = write(tmp_path / str(i), name, path)
        content = case.miniature.files[path]
        middle = content.find(b"\n", len(content) // 2) + 1
        for damaged in (
            content[: len(content) * 2 // 3],
            content[:middle] + content[middle + 3 :],
            content.replace(b"1", b"5" * 5000, 2),
        ):
            check_damaged(case, damaged)
