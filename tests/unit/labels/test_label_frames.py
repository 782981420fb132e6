"""Labels of single frames: which pictures of a folder are which frames."""

from pathlib import Path

import pytest

from corpora import write_pictures
from facewave.errors import UserError
from facewave.labels import frames


def test_a_picture_that_is_no_frame_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "video"
    assert frames.numbers(folder) is None
    folder.mkdir()
    assert frames.numbers(folder) == []
    write_pictures(folder, ["00003.jpg", "00001.jpg"], 0)
    assert frames.numbers(folder) == [1, 3]
    for stray in ("thumb.jpg", "a_00002.jpg"):
        write_pictures(folder, [stray], 1)
        with pytest.raises(UserError, match=rf"video: the pictures are not.*\({stray}\)"):
            frames.numbers(folder)
        (folder / stray).unlink()
