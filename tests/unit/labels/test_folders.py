"""Searches below a folder end, and stay below it."""

from pathlib import Path

import pytest

from facewave.labels.folders import find, walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("root/a/1.mp4", "root/a/b/2.mp4", "root/.hidden/3.mp4", "root/c/4.mp4",
                 "out/5.mp4", "out/d/6.mp4"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "root"


def names(root: Path, pattern: str, follow_links: bool = False) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find(root, pattern, follow_links)]


def test_globs_have_their_usual_meaning(root: Path) -> None:
    every = ["a/1.mp4", "a/b/2.mp4", "c/4.mp4"]
    assert names(root, "**/*.mp4") == every
    for pattern, expected in {
        "*/*.mp4": ["a/1.mp4", "c/4.mp4"],
        "a/**/*.mp4": every[:2],
        "**/b/*": ["a/b/2.mp4"],
        "a/1.mp4": ["a/1.mp4"],
        "a/[0-9].mp[34]": ["a/1.mp4"],
        "nowhere/**/*": [],
    }.items():
        assert names(root, pattern) == expected, pattern


def test_loops_end_and_nothing_is_found_twice(root: Path) -> None:
    every = names(root, "**/*.mp4")
    for name in ("x", "y", "a/z", "a/b/x"):
        (root / name).symlink_to(root)
    (root / "a/loop.mp4").symlink_to("loop.mp4")
    (root / "a/b/to_c").symlink_to(root / "c")
    assert [name for name in names(root, "**/*.mp4") if "loop" not in name] == every
    assert names(root, "a/b/**/*.mp4") == ["a/b/2.mp4", "a/b/to_c/4.mp4"]  # c is not below a/b
    assert len(list(walk(str(root), follow_links=True))) == 4


def test_links_out_of_the_root_are_followed_where_they_may(root: Path) -> None:
    every = names(root, "**/*.mp4")
    (root / "out").symlink_to(root.parent / "out")
    (root / "one.mp4").symlink_to(root.parent / "out/5.mp4")
    (root.parent / "out/d/back").symlink_to(root)
    assert names(root, "**/*.mp4") == every
    assert names(root, "out/*.mp4") == []
    assert names(root, "**/*.mp4", True) == [*every, "one.mp4", "out/5.mp4", "out/d/6.mp4"]
