import asyncio
import errno
import io
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from asking import form
from facewave.app.page.limits import Limits, Refused
from facewave.app.page.uploads import Upload, megabytes, receive, shown

SMALL = Limits(bytes=1000, upload_s=5, silence_s=0.05)


async def chunked(body: bytes, step: int = 7, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for at in range(0, len(body), step):
        await asyncio.sleep(pause_s)
        yield body[at : at + step]


def received(
    folder: Path, body: bytes, headers: dict[str, str], step: int = 97, pause_s: float = 0.0
) -> Upload:
    stream = chunked(body, step, pause_s)
    return asyncio.run(receive(stream, headers, folder, ["untrained", "demo"], SMALL))


def test_a_clip_is_stored_under_a_name_of_ours(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3 + b"\r\n--B\r\n-"  # all but the boundary may stand in it
    for number, (name, kept, told) in enumerate(
        [
            ("face.MP4", "clip.mp4", "face.MP4"),
            ("../../../etc/x.webm", "clip.webm", "x.webm"),
            ("C:\\films\\a b.mov", "clip.mov", "a b.mov"),
            ("\u202e4pm.\x07<b>.mkv", "clip.mkv", "4pm.<b>.mkv"),
        ]
    ):
        headers, body = form(content.replace(b"--B", b"--C"), name, ["untrained", "demo"])
        folder = tmp_path / str(number)
        folder.mkdir()
        upload = received(folder, body, headers, step=1 + number)
        assert upload.path == folder / kept
        assert upload.path.read_bytes() == content.replace(b"--B", b"--C")
        assert (upload.name, upload.models, upload.keep) == (told, ["untrained", "demo"], False)
        assert [file.name for file in folder.iterdir()] == [kept]


def test_names_are_short_and_never_empty() -> None:
    assert shown("a" * 300 + ".mp4") == "a" * 50 + "…" + "a" * 46 + ".mp4"
    assert megabytes(1_500_000_000) == "1500 MB"  # as drop.js counts
    assert shown("///") == shown("") == "clip"


def refused(tmp_path: Path, body: bytes, headers: dict[str, str], **options: Any) -> Refused:
    with pytest.raises(Refused) as info:
        received(tmp_path, body, headers, **options)
    assert len(info.value.sentence) > 10
    return info.value


def test_too_large_clips_are_refused_while_they_come_and_no_more_is_stored(tmp_path: Path) -> None:
    headers, body = form(bytes(5000))
    assert refused(tmp_path, body, headers, step=100).status == 413
    assert (tmp_path / "clip.mp4").stat().st_size <= 1000


def test_what_a_browser_says_of_the_size_is_believed_at_once(tmp_path: Path) -> None:
    headers, _ = form()
    assert refused(tmp_path, b"", headers | {"content-length": "314572800"}).status == 413
    assert refused(tmp_path, b"", headers | {"content-length": "many"}).status == 400
    assert list(tmp_path.iterdir()) == []


def test_other_forms_are_refused_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body = form()
    cases: Iterable[tuple[int, dict[str, str], bytes]] = [
        (415, *form(name="letter.txt")),
        (415, *form(name="mp4")),
        (415, *form(name="x.mp4/")),
        (400, *form(clip=b"")),
        (400, *form(models=[])),
        (400, *form(models=["untrained"] * 3)),
        (400, *form(models=["untrained"] * 2)),
        (400, *form(models=["../../etc"])),
        (400, *form(models=["m" * 300])),
        (400, *form(models=["untrained"] * 20)),
        (400, headers, body[:60]),
        (400, headers, body.replace(b'name="clip"', b'name="other"')),
        (400, headers, body[: -len(b"--B--\r\n")] + body),  # a second clip
        (400, headers, b"no form at all"),
        (400, {"content-type": "multipart/form-data"}, body),
        (400, {"content-type": "text/plain"}, body),
        (400, {}, body),
    ]
    for number, (status, given, sent) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert refused(folder, sent, given).status == status, number
    assert not caplog.records  # strangers' forms are no news for the terminal


def test_slow_uploads_are_dropped(tmp_path: Path) -> None:
    headers, body = form()
    assert refused(tmp_path, body, headers, pause_s=0.1).status == 408


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    headers, body = form()
    monkeypatch.setattr(Path, "open", lambda *_: Full())
    assert "full" in refused(tmp_path, body, headers).sentence


def test_the_rest_of_a_refused_upload_is_read_so_that_browsers_show_the_answer(
    tmp_path: Path,
) -> None:
    headers, body = form(bytes(9000))

    async def left(name: str, more: dict[str, str]) -> int:
        (tmp_path / name).mkdir()
        stream = chunked(body, 500)
        with pytest.raises(Refused):
            await receive(stream, headers | more, tmp_path / name, [], SMALL)
        return len([chunk async for chunk in stream])

    assert asyncio.run(left("a", {})) == 0
    assert asyncio.run(left("b", {"expect": "100-continue"})) > 10  # who waits is told at once
