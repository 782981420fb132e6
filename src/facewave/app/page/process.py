"""The process that works on one job: started ahead, spoken to in lines of JSON, killed whole.

It is no child of ``multiprocessing``, whose pipes carry pickles: a process that decodes strangers'
clips may say nothing that the server would run.
"""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from facewave.app.page.limits import Limits
from facewave.assets import ASSETS
from facewave.files import CACHE

_LINE = 1 << 16  # bytes of a message
_LOOK_S = 0.5  # between two looks at the memory
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PASSED = re.compile(
    "PATH|HOME|USER|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|XDG_CACHE_HOME|VIRTUAL_ENV|PYTHON.*|LD_LIBRARY_PATH"
    f"|{ASSETS}|{CACHE}|OMP_.*|CUDA_VISIBLE_DEVICES"
    "|(?i:https_proxy|no_proxy)|SSL_CERT_FILE|SSL_CERT_DIR"  # to fetch the landmarker
)


class EndedError(Exception):
    """The process has ended before its job was done; the message says why."""


class Worker:
    """A process that does one job."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process, self._limits = process, limits

    @classmethod
    async def start(cls, limits: Limits) -> "Worker":
        """Start a process; it loads what jobs need, and waits for its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "facewave.app.page.work", str(limits.memory)),
            stdin=PIPE,
            stdout=PIPE,
            limit=_LINE,
            start_new_session=True,  # so that it can be killed with all that it may have started
            env=passed(os.environ) | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        return cls(process, limits)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def run(self, task: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Do the job; yield what the process says of it (work.py); then end it.

        Raises:
            EndedError: it took too long or too much memory, or crashed.
        """
        watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(self._limits.work_s):
                if self._process.stdin:
                    with suppress(ConnectionError):  # it has just ended: see below
                        self._process.stdin.write(json.dumps(task).encode() + b"\n")
                        await self._process.stdin.drain()
                while (message := await self._read()) is not None:
                    yield message
                    if "failed" in message:  # it is done; Python takes a while to end
                        return
            await self._process.wait()
            if watcher.done() and watcher.result():
                raise EndedError(_TOO_MUCH.format(self._limits.memory / (1 << 30)))
            if self._process.returncode:
                raise EndedError(_ended(self._process.returncode))
        except TimeoutError:
            raise EndedError(
                f"It took longer than {self._limits.work_s / 60:g} minutes. Send a shorter clip."
            ) from None
        finally:
            watcher.cancel()
            await self.kill()

    async def kill(self) -> None:
        """End it at once, with all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _read(self) -> dict[str, Any] | None:
        """The next message; None at the end, and for what is no message."""
        if self._process.stdout is None:
            return None
        try:
            line = await self._process.stdout.readline()
            message = json.loads(line) if line else None
        except ValueError:  # too long, or no JSON
            return None
        return message if isinstance(message, dict) else None

    async def _watch(self) -> bool:
        """Kill the process when it uses too much memory; whether that was done."""
        while self.is_alive:
            if await asyncio.to_thread(resident, self._process.pid) > self._limits.memory:
                await self.kill()
                return True
            await asyncio.sleep(_LOOK_S)
        return False


def passed(environment: Mapping[str, str]) -> dict[str, str]:
    """What the process is given of the environment: it decodes strangers' clips, so no keys."""
    return {name: value for name, value in environment.items() if _PASSED.fullmatch(name)}


def resident(group: int) -> int:
    """Bytes of memory that a process and all that it started take; 0 where nobody can know."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                pages += int((folder / "statm").read_text().split()[1])
    return pages * _PAGE


_TOO_MUCH = (
    "It needs more than {:.1f} GB of memory. Send a shorter clip, or one with smaller pictures."
)


def _ended(code: int) -> str:
    """Why a process has ended, by its exit code."""
    if code < 0:
        return (
            f"The process that looked at the clip was ended (signal {-code}): the clip is "
            "damaged, or the machine is short of memory. Try a shorter clip."
        )
    return (
        f"The process that looked at the clip failed (exit code {code}); the terminal in which the "
        "page was started has the particulars."
    )
