"""A clip that a browser sends: to the disk as it comes, within limits. Its name is not trusted."""

import asyncio
import errno
import logging
import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from facewave.app.page.limits import TYPES, Limits, Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = 200  # bytes of a field that is no file
_PARTS = 8  # fields of a form, at most
_OVERHEAD = 1 << 16  # bytes of a form beside its clip
_NAME = 100  # characters of a name that is shown
_DRAINED_S = 10.0  # seconds in which the rest of a refused upload is read
# A damaged form is refused, of which the terminal need not hear.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
# Control characters, and those that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass
class Upload:
    """What was sent.

    Attributes:
        models: the ids of one or two of them.
        keep: whether what is found in the clip may stay in the user's cache.
        name: as the browser has it, to be shown and nothing else.
        path: of the clip, below a name of ours.
    """

    models: list[str] = field(default_factory=list)
    keep: bool = False
    name: str = ""
    path: Path | None = None


async def receive(
    stream: AsyncIterator[bytes],
    headers: Mapping[str, str],
    folder: Path,
    models: Collection[str],
    limits: Limits,
) -> Upload:
    """Read a form (multipart/form-data) and store its clip in ``folder``.

    Args:
        stream: the request's body.
        headers: the request's.
        folder: of the job; it exists.
        models: the ids that there are.
        limits: on bytes and seconds.

    Raises:
        Refused: it breaks a limit or is no form with a clip of a known type.
    """
    try:
        _refuse_at_once(headers, limits)
        kind, options = parse_options_header(headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise Refused(400, "Send a form (multipart/form-data) with a clip.")
        form = _Form(folder, models, limits)
        try:
            parser = MultipartParser(options[b"boundary"], form.callbacks())
            async with asyncio.timeout(limits.upload_s):
                while True:
                    async with asyncio.timeout(limits.silence_s):
                        chunk = await anext(stream, None)
                    if chunk is None:
                        break
                    await asyncio.to_thread(parser.write, chunk)
            return form.finished()
        except FormParserError:
            raise Refused(400, "The form is damaged. Send the clip again.") from None
        except TimeoutError:
            raise Refused(408, "The upload was too slow and has been dropped.") from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Refused(
                503, "The server's disk is full. Try again later, or free some space."
            ) from None
        finally:
            form.close()
    except Refused:
        # A browser that is still sending shows no answer; so the rest is read, and dropped.
        if "expect" not in headers:
            await _drain(stream)
        raise


def shown(name: str) -> str:
    """The last part of a file's name as it may be shown: short, without control characters."""
    bare = _CONTROLS.sub("", re.split(r"[/\\]", name)[-1]).strip()
    if len(bare) > _NAME:
        half = _NAME // 2
        bare = f"{bare[:half]}…{bare[-half:]}"
    return bare or "clip"


def megabytes(count: int) -> str:
    """A number of bytes, for people."""
    return f"{count / 1e6:.0f} MB"


def _refuse_at_once(headers: Mapping[str, str], limits: Limits) -> None:
    """Refuse by what the browser says of the size, before anything is read."""
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise Refused(400, "The request's length is no number.")
    if int(length) > limits.bytes + _OVERHEAD:
        raise _too_large(limits)


def _too_large(limits: Limits) -> Refused:
    return Refused(
        413, f"The clip is larger than {megabytes(limits.bytes)}. Cut it, or make it smaller."
    )


async def _drain(stream: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(_DRAINED_S):
            async for _ in stream:
                pass
    except TimeoutError:
        return


class _Form:
    """Takes what the parser finds, piece by piece."""

    def __init__(self, folder: Path, models: Collection[str], limits: Limits) -> None:
        self._folder, self._models, self._limits = folder, models, limits
        self._upload = Upload()
        self._parts = self._size = 0
        self._header, self._value = b"", b""
        self._disposition = b""
        self._field, self._content = "", b""
        self._file: IO[bytes] | None = None

    def callbacks(self) -> "MultipartCallbacks":
        """What python-multipart calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def finished(self) -> Upload:
        """What was sent.

        Raises:
            Refused: something is missing, or there is no such model.
        """
        upload = self._upload
        if upload.path is None or not self._size or self._file:
            raise Refused(400, "There is no clip in the form, or it is empty. Choose one.")
        if not 1 <= len(upload.models) <= 2 or not set(upload.models) <= set(self._models):
            raise Refused(400, "Choose one model or two of those that the page offers.")
        if len(set(upload.models)) < len(upload.models):
            raise Refused(400, "Choose two different models, or one.")
        return upload

    def close(self) -> None:
        """Close the file, however the upload ended."""
        if self._file:
            self._file.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS or self._upload.path:  # the clip comes last
            raise Refused(400, "The form has too many fields.")
        self._header, self._value, self._disposition = b"", b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field, self._content = options.get(b"name", b"").decode("utf-8", "replace"), b""
        if self._field != "clip":
            return
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        suffix = Path(shown(name)).suffix.lower()
        if suffix not in TYPES:
            raise Refused(
                415, f"{shown(name)} is no video by its name. Send one of: {', '.join(TYPES)}"
            )
        self._upload.name, self._upload.path = shown(name), self._folder / f"clip{suffix}"
        self._file = self._upload.path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            self._size += end - start
            if self._size > self._limits.bytes:
                raise _too_large(self._limits)
            self._file.write(data[start:end])
            return
        self._content += data[start:end]
        if len(self._content) > _FIELD:
            raise Refused(400, "A field of the form is too long.")

    def _end(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
            return
        text = self._content.decode("utf-8", "replace")
        if self._field == "model":
            self._upload.models.append(text)
        elif self._field == "keep":
            self._upload.keep = text == "yes"
        else:
            raise Refused(400, "The form has a field that the page does not know.")
