"""What is looked up of clips: real videos, pictures and folders of pictures, whole and broken."""

import shutil
from pathlib import Path

from corpora import write, write_clip, write_pictures
from facewave.labels.cleaning import FileFact
from facewave.labels.clips import inspect, inspect_clip, located


def video(path: Path, shade: int = 1, fps: float = 25) -> Path:
    return write_clip(path, 40 * shade, fps=fps)


def picture(path: Path, shade: int = 1) -> Path:
    """A real picture; bitmaps of one size have as many bytes, whatever they show."""
    return write_pictures(path.parent, [path.name], 20 * shade) / path.name


def pictures(folder: Path, *shades: int) -> Path:
    for number, shade in enumerate(shades, start=1):
        picture(folder / f"{number:03}.bmp", shade)
    return folder


def text(path: Path) -> None:
    write(path.parent, path.name, "no video " * 50)


NO_VIDEO = "not a video, or its header is damaged or cut off"
NO_PICTURE = "not a picture, or its header is damaged or cut off"


def test_a_clip_opens_or_has_a_reason_why_not(tmp_path: Path) -> None:
    half = video(tmp_path / "half.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(half[: len(half) // 2])
    picture(tmp_path / "a.png").rename(tmp_path / "picture.mp4")
    for name in ("empty.mp4", "empty.png", "empty pictures/001.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in (
        "t.mp4",
        "u.mp4",
        "t.png",
        "text/001.jpg",
        "labels.mp4/001.txt",
        "labels.mp4/a.json",
    ):
        text(tmp_path / name)
    (tmp_path / "nothing").mkdir()
    problems = {
        video(tmp_path / "größe, 表情/a b.mp4"): "",
        picture(tmp_path / "b.png"): "",
        picture(tmp_path / "c.JPG"): "",
        pictures(tmp_path / "folder", 1, 2): "",
        pictures(tmp_path / "folder.mp4", 3, 2, 1): "",
        **dict.fromkeys((tmp_path / "empty.mp4", tmp_path / "empty.png"), "0 bytes"),
        tmp_path / "empty pictures": "0 bytes",
        **{tmp_path / f"{name}.mp4": NO_VIDEO for name in ("t", "u", "picture")},
        tmp_path / "half.mp4": "an MP4 file without its index: cut off, or its recording was not "
        "finished",
        **dict.fromkeys((tmp_path / "t.png", tmp_path / "text"), NO_PICTURE),
        tmp_path / "nothing": "a folder without pictures",
        tmp_path / "labels.mp4": "a folder without pictures",
    }
    names = [path.relative_to(tmp_path).as_posix() for path in problems]
    facts = inspect(tmp_path, names)
    assert list(facts) == names
    for path, name in zip(problems, names, strict=True):
        fact = inspect_clip(path)
        assert fact == FileFact(exists=True, problem=problems[path]), name
        assert facts[name] == fact, name  # without a twin, even where broken ones are alike
    assert inspect(tmp_path, []) == {}


def test_what_is_not_there_does_not_exist(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4")
    (tmp_path / "link.mp4").symlink_to("nowhere.mp4")
    for name in ("gone.mp4", "gone/1.mp4", "a.mp4/1.mp4", "link.mp4", "x" * 300 + ".mp4"):
        assert inspect(tmp_path, [name]) == {name: FileFact(exists=False)}


def test_a_clip_is_found_under_its_name_as_another_system_writes_it(tmp_path: Path) -> None:
    for name in ("Clips/Jose\u0301.mp4", "Clips/a.mp4", "Clips/A.mp4", "clip_001.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths = {
        "clips\\Jos\xe9.mp4": "Clips/Jose\u0301.mp4",
        str(tmp_path / "CLIPS/a.mp4"): "Clips/a.mp4",
        "Clips/A.mp4": "Clips/A.mp4",
        "clips/B.mp4": "clips/B.mp4",  # not there
        "/elsewhere/a.mp4": "/elsewhere/a.mp4",
        "../a.mp4": "../a.mp4",
        "": "",
    }
    assert located(tmp_path, paths) == paths
    assert inspect(tmp_path, ["clip_01.mp4"])["clip_01.mp4"].problem == "; there is clip_001.mp4"
    (tmp_path / "Clips/b.mp4").touch()
    (tmp_path / "Clips/B.Mp4").touch()
    assert located(tmp_path, ["Clips/B.mp4"]) == {"Clips/B.mp4": "Clips/B.mp4"}  # which one?


def test_a_playlist_of_a_file_outside_is_no_clip(tmp_path: Path) -> None:
    video(tmp_path / "outside.mp4")
    playlist = tmp_path / "demo/clips/1.m3u8"
    playlist.parent.mkdir(parents=True)
    segment = f"#EXTINF:1,\n{tmp_path / 'outside.mp4'}\n"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segment}#EXT-X-ENDLIST\n", "utf-8")
    assert inspect_clip(playlist).problem == NO_VIDEO


def test_a_folder_with_a_picture_that_points_nowhere_is_looked_at(tmp_path: Path) -> None:
    pictures(tmp_path / "a", 1, 2)
    (tmp_path / "a/003.bmp").symlink_to("nowhere.bmp")
    assert inspect(tmp_path, ["a"])["a"].exists


def twins(root: Path, *paths: str) -> list[str]:
    """The twins of clips that all open."""
    facts = inspect(root, list(paths))
    assert {fact.problem for fact in facts.values()} == {""}
    return [facts[path].twin for path in paths]


def test_files_with_the_same_bytes_are_twins(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4")
    shutil.copy(tmp_path / "a.mp4", tmp_path / "copy.mp4")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    video(tmp_path / "b.mp4", 2)
    a, copy, link, b = twins(tmp_path, "a.mp4", "copy.mp4", "link.mp4", "b.mp4")
    assert a == copy == link != ""
    assert b != a


def test_pictures_of_one_size_are_twins_only_if_their_bytes_are_the_same(tmp_path: Path) -> None:
    picture(tmp_path / "a.bmp", 1)
    picture(tmp_path / "b.bmp", 2)
    picture(tmp_path / "again.bmp", 1)
    a, b, again = twins(tmp_path, "a.bmp", "b.bmp", "again.bmp")
    assert a == again != ""
    assert b != a


def test_folders_with_the_same_pictures_in_the_same_order_are_twins(tmp_path: Path) -> None:
    pictures(tmp_path / "a", 1, 2, 3)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    text(tmp_path / "copy/labels.json")  # no part of the clip
    picture(tmp_path / "renamed/frame_7.bmp", 1)
    picture(tmp_path / "renamed/frame_8.bmp", 2)
    picture(tmp_path / "renamed/frame_10.bmp", 3)
    pictures(tmp_path / "backwards", 3, 2, 1)
    pictures(tmp_path / "other", 1, 2, 4)
    a, copy, renamed, *others = twins(tmp_path, "a", "copy", "renamed", "backwards", "other")
    assert a == copy == renamed != ""
    assert a not in others


def test_a_folder_is_no_twin_of_a_video_but_of_the_one_picture_that_it_holds(
    tmp_path: Path,
) -> None:
    video(tmp_path / "a.mp4")
    pictures(tmp_path / "one", 1)
    pictures(tmp_path / "two", 1, 1)
    picture(tmp_path / "a.bmp", 1)
    of_video, one, two, alone = twins(tmp_path, "a.mp4", "one", "two", "a.bmp")
    assert one == alone != ""
    assert of_video == two == ""


def test_another_tool_s_table_needs_no_video(tmp_path: Path) -> None:
    for name in ("a.csv", "b.json", "c.PARQUET"):
        text(tmp_path / name)
        assert inspect_clip(tmp_path / name) == FileFact(exists=True)
    (tmp_path / "d.csv").touch()
    assert inspect_clip(tmp_path / "d.csv").problem == "0 bytes"


def test_one_bad_link_stops_no_other_clip(tmp_path: Path) -> None:
    root = tmp_path / "root"
    pictures(root / "sound", 1, 2)
    pictures(root / "loop", 3, 4)
    (root / "loop/003.bmp").symlink_to("003.bmp")
    (root / "loop.mp4").symlink_to("loop.mp4")
    (root / "a").symlink_to(".")
    (root / "b").symlink_to(".")
    facts = inspect(root, ["sound", "loop", "loop.mp4", "a/sound"])
    assert [facts[name].exists for name in facts] == [False, True, True, True]
    assert not facts["sound"].problem + facts["loop"].problem


def test_a_link_out_of_the_root_is_followed_where_the_entry_says_so(tmp_path: Path) -> None:
    root = tmp_path / "root"
    video(tmp_path / "out/1.mp4")
    pictures(tmp_path / "out/pictures", 1, 2)
    pictures(root / "within", 3)
    (root / "within/002.bmp").symlink_to(tmp_path / "out/pictures/002.bmp")
    (root / "1.mp4").symlink_to(tmp_path / "out/1.mp4")
    (root / "out").symlink_to(tmp_path / "out")
    names = ["within", "1.mp4", "out/1.mp4", "out/pictures"]
    for name, fact in inspect(root, names).items():
        assert fact.problem.startswith("a link leads out of the dataset's root"), name
    assert not any(fact.problem for fact in inspect(root, names, follow_links=True).values())
    (tmp_path / "linked").symlink_to(root)  # the root itself may be a link
    assert not inspect(tmp_path / "linked", ["within/001.bmp"])["within/001.bmp"].problem
