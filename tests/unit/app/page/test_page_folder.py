import os
from pathlib import Path

import pytest

from facewave.app.page.folder import private_folder
from facewave.errors import UserError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"facewave-app-{os.getuid()}"


def test_a_folder_is_private_and_deleted_at_the_end(temporary: Path) -> None:
    with private_folder() as folder:
        (folder / "clip.mp4").touch()
        for made in (folder, folder.parent):
            assert made.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in temporary.iterdir()] == [".lock"]


def test_what_killed_servers_left_is_deleted_and_what_running_ones_have_is_not(
    temporary: Path,
) -> None:
    with private_folder() as running:
        left = temporary / "left"
        left.mkdir()
        (left / "clip.mp4").touch()
        with private_folder():
            assert running.exists()
            assert not left.exists()
        assert running.exists()


def test_a_place_that_others_can_use_is_refused(temporary: Path, tmp_path: Path) -> None:
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    with pytest.raises(UserError, match="TMPDIR"), private_folder():
        pass
    temporary.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="TMPDIR"), private_folder():
        pass
