"""Which clips a person names: files, folders of either kind, patterns."""

from pathlib import Path

import pytest

from facewave.app.inputs import clip_of, clips_of, outputs
from facewave.errors import UserError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("videos/b.mp4", "videos/a.MOV", "videos/.c.mp4", "videos/below/d.mp4",
                 "videos/notes.txt", "pictures/1.png", "pictures/2.png", "both/1.jpg", "both/x.mkv",
                 "neither/notes.txt", "one.jpg", "notes.txt", "odd[1].mp4"):  # fmt: skip
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*words: str) -> list[str]:
    return [path.as_posix() for path in clips_of(words)]


def test_a_folder_of_videos_is_its_videos_and_one_of_pictures_is_a_clip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert found("videos") == ["videos/a.MOV", "videos/b.mp4"]
    assert found("pictures", "one.jpg") == ["pictures", "one.jpg"]
    assert capsys.readouterr() == ("", "")
    assert found("both") == ["both/x.mkv"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "both has videos and pictures: its 1 videos are taken, not its 1 pictures\n"
    )


def test_patterns_are_expanded_and_no_clip_is_named_twice() -> None:
    assert found("videos/*.mp4", "videos/b.mp4") == ["videos/b.mp4"]
    assert found(str(Path.cwd() / "videos/*.mp4")) == [(Path.cwd() / "videos/b.mp4").as_posix()]
    assert found("videos/**/*.mp4") == ["videos/b.mp4", "videos/below/d.mp4"]
    assert found("vid*") == ["videos/a.MOV", "videos/b.mp4"]
    assert found("odd[1].mp4") == ["odd[1].mp4"]  # what is here is no pattern


def test_two_clips_of_one_name_keep_their_folders() -> None:
    out = Path("out")
    for clips, files in (
        (["a/1.mp4", "b/2.mov"], ["1.csv", "2.csv"]),
        (["a/1.mp4", "b/1.mp4", "b/c/2.mp4"], ["a/1.csv", "b/1.csv", "b/c/2.csv"]),
        (["1.mp4", "a/1.x.mp4", "a/1.mp4"], ["1.csv", "a/1.x.csv", "a/1.csv"]),
        ([str(Path.cwd() / "x/a/1.mp4"), "x/b/1.mp4"], ["a/1.csv", "b/1.csv"]),
    ):
        found = outputs(list(map(Path, clips)), out, ".csv")
        assert found == [out / file for file in files]
    with pytest.raises(
        UserError, match=r"a/1\.mp4 and a/1\.mov would both be written to out/a/1\.csv"
    ):
        outputs([Path("b/1.mp4"), Path("a/1.mp4"), Path("a/1.mov")], out, ".csv")


def test_what_is_no_clip_is_told() -> None:
    for word, problem in (
        ("https://example.org/a.mp4", "is an address. Download it first"),
        ("nowhere.mp4", "is not here"),
        ("nothing*", "matches nothing"),
        ("notes.txt", "is neither a video nor a picture"),
        ("neither", "has neither videos nor pictures"),
    ):
        with pytest.raises(UserError, match=problem):
            clips_of(["one.jpg", word])


def test_where_one_clip_is_taken_a_folder_of_several_is_refused() -> None:
    assert clip_of("both") == Path("both/x.mkv")
    with pytest.raises(UserError, match="videos has 2 videos, and this takes one"):
        clip_of("videos")
