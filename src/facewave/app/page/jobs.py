"""The queue: one job a person, a process a job, and nothing kept longer than it is wanted."""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from facewave.app.page.limits import Limits, Refused
from facewave.app.page.process import EndedError, Worker
from facewave.app.page.uploads import Upload

State = Literal["receiving", "queued", "running", "done", "failed", "cancelled"]
OVER: tuple[State, ...] = ("done", "failed", "cancelled")
SEEN = "seen.mp4"  # made when somebody asks for it
_TELL_S = 0.15  # between two looks at what is told of a job
_ALIVE_S = 15.0  # without news, after which a sign of life is sent


@dataclass(eq=False)
class Job:
    """A clip that somebody has sent, and what becomes of it.

    Attributes:
        session: whose it is.
        folder: of the clip and of what is made of it.
        size: bytes of the clip; while it is received, the most that it may have.
        touched: when somebody last asked about it (s, of ``time.monotonic``).
    """

    session: str
    folder: Path
    id: str
    size: int
    state: State = "receiving"
    stage: str = ""
    share: float = 0.0
    sentence: str = ""
    upload: Upload = field(default_factory=Upload)
    touched: float = field(default_factory=time.monotonic)
    work: "asyncio.Task[None] | None" = None
    drawing: "asyncio.Task[None] | None" = None


class Jobs:
    """All jobs of a server.

    Args:
        folder: below which each has its own.
        limits: on their number, time and memory.
        at_once: how many run at a time.
    """

    def __init__(self, folder: Path, limits: Limits, at_once: int) -> None:
        self._folder, self._limits = folder, limits
        self._jobs: dict[str, Job] = {}
        self._at_once, self._turn = at_once, asyncio.Semaphore(at_once)
        self._spare: asyncio.Task[Worker] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._is_closed = False

    def open(self) -> None:
        """Start the first process ahead, and look after results that nobody wants any more."""
        self._spare = asyncio.create_task(Worker.start(self._limits))
        self._sweeping = asyncio.create_task(self._sweep())

    def hush(self) -> None:
        """Tell nobody anything more: what is told must end before the server can."""
        self._is_closed = True

    async def close(self) -> None:
        """End and delete everything."""
        self.hush()
        if self._sweeping:
            self._sweeping.cancel()
        for job in list(self._jobs.values()):
            await self.forget(job)
        if self._spare:
            await (await self._spare).kill()

    def reserve(self, session: str, size: int) -> Job:
        """A place for a clip that is about to be sent, of at most ``size`` bytes.

        A result of the same person's makes way for it.

        Raises:
            Refused: the person has a job already, or there are too many, or too large ones.
        """
        mine = [job for job in self._jobs.values() if job.session == session]
        if any(job.state not in OVER for job in mine):
            raise Refused(
                409, "Your clip before this one is not done yet. Wait for it, or cancel it."
            )
        if sum(job.state not in OVER for job in self._jobs.values()) >= self._limits.queue:
            raise Refused(503, "Too many clips are waiting. Try again in a few minutes.")
        others = (job.size for job in self._jobs.values() if job.session != session)
        if sum(others) + size > self._limits.together:
            raise Refused(503, "There is no room for your clip now. Try again in a few minutes.")
        number = secrets.token_urlsafe(16)
        job = Job(session, self._folder / number, number, size)
        job.folder.mkdir(mode=0o700)
        self._jobs[job.id] = job
        return job

    async def submit(self, job: Job, upload: Upload) -> None:
        """Have a clip that has arrived wait for its turn."""
        for old in [j for j in self._jobs.values() if j.session == job.session and j is not job]:
            await self.forget(old)
        job.upload, job.state = upload, "queued"
        if upload.path:
            job.size = upload.path.stat().st_size
        job.work = asyncio.create_task(self._work(job))

    def find(self, number: str, session: str) -> Job:
        """A person's job.

        Raises:
            Refused: there is none, or it is somebody else's.
        """
        job = self._jobs.get(number)
        if job is None or job.session != session:
            raise Refused(
                404, "There is no such clip any more: it was deleted, or the page was restarted."
            )
        job.touched = time.monotonic()
        return job

    async def forget(self, job: Job) -> None:
        """End a job and delete all that there is of it."""
        if job.state not in OVER:
            job.state, job.sentence = "cancelled", "Cancelled."
        for task in (job.work, job.drawing):
            if task and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, Refused):
                    await task
        self._jobs.pop(job.id, None)
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    def told(self, job: Job) -> dict[str, Any]:
        """What a person is told of a job."""
        return {
            "state": "queued" if job.state == "receiving" else job.state,
            "position": self._before(job),
            "stage": job.stage,
            "share": round(job.share, 3),
            "sentence": job.sentence,
        }

    def _before(self, job: Job) -> int:
        """How many clips are before one that waits: those at work, too; 0 if it is its turn."""
        if job.state != "queued":
            return 0
        states = [other.state for other in self._jobs.values()]
        ahead = states[: list(self._jobs).index(job.id)].count("queued")
        before = states.count("running") + ahead
        return before if before >= self._at_once else 0

    async def events(self, job: Job) -> AsyncIterator[dict[str, Any] | None]:
        """What is told of a job whenever it changes, until it is over; None: it still lives."""
        last, since = None, time.monotonic()
        while not self._is_closed:
            job.touched = time.monotonic()
            told = self.told(job)
            if told != last:
                yield told
                last, since = told, job.touched
            elif job.touched - since > _ALIVE_S:
                yield None
                since = job.touched
            if job.state in OVER:
                return
            await asyncio.sleep(_TELL_S)

    async def draw(self, job: Job) -> None:
        """Make the video of what was seen, unless it is there.

        Raises:
            Refused: it cannot be made.
        """
        if job.drawing is None or (job.drawing.done() and not (job.folder / SEEN).exists()):
            job.drawing = asyncio.create_task(self._draw(job))
        await asyncio.shield(job.drawing)

    async def _draw(self, job: Job) -> None:
        try:
            async with self._turn:
                async for message in self._run(job, "draw"):
                    if sentence := message.get("failed"):
                        raise Refused(500, str(sentence))
        except EndedError as error:
            raise Refused(500, str(error)) from None

    async def _work(self, job: Job) -> None:
        try:
            async with self._turn:
                job.state = "running"
                async for message in self._run(job, "answer"):
                    job.stage = str(message.get("stage", job.stage))[:200]
                    job.share = float(message.get("share", job.share))
                    if sentence := message.get("failed"):
                        job.sentence = str(sentence)[:2000]
            is_done = not job.sentence and (job.folder / "result.json").exists()
            job.state = "done" if is_done else "failed"
            if not is_done:
                job.sentence = job.sentence or "The clip could not be looked at."
        except EndedError as error:
            job.state, job.sentence = "failed", str(error)
        except asyncio.CancelledError:
            job.state, job.sentence = "cancelled", "Cancelled."
            raise
        job.share = 1.0

    async def _run(self, job: Job, what: str) -> AsyncIterator[dict[str, Any]]:
        """Do a part of a job in a process of its own."""
        worker = await self._take()
        upload = job.upload
        task = {
            "what": what,
            "folder": str(job.folder),
            "clip": upload.path and upload.path.name,
            "name": upload.name,
            "models": upload.models,
            "keep": upload.keep,
            "seconds": self._limits.seconds,
        }
        try:
            async for message in worker.run(task):
                yield message
        finally:
            await worker.kill()

    async def _take(self) -> Worker:
        """A process that was started ahead, or a new one; another is started for the next job."""
        spare, self._spare = self._spare, None
        worker = await spare if spare else await Worker.start(self._limits)
        if not worker.is_alive:  # somebody has killed it
            worker = await Worker.start(self._limits)
        self._spare = asyncio.create_task(Worker.start(self._limits))
        return worker

    async def _sweep(self) -> None:
        """Forget results that nobody has asked about for long, or that are too many."""
        while True:
            await asyncio.sleep(min(10.0, self._limits.idle_s / 4))
            over = [job for job in self._jobs.values() if job.state in OVER]
            oldest = sorted(over, key=lambda job: job.touched)
            idle = time.monotonic() - self._limits.idle_s
            excess = max(0, len(over) - self._limits.kept)
            for number, job in enumerate(oldest):
                if number < excess or job.touched < idle:
                    await self.forget(job)
