"""The page's routes (docs/architecture.md has the contract): what a browser may ask for."""

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from facewave import __version__
from facewave.app.notice import NOTICE
from facewave.app.page import corpora, offered, uploads
from facewave.app.page.access import HEADERS, Access, Guard
from facewave.app.page.corpora_routes import corpus_routes
from facewave.app.page.jobs import SEEN, Job, Jobs
from facewave.app.page.limits import TYPES, Limits, Refused

REPORT = Path("metrics/report.html")
_STATIC = Path(str(resources.files("facewave.app.page"))) / "static"
# The names of a job's files -> what a browser is told they are; all but the clip are downloads.
_FILES = {
    "clip": "",
    "points.bin": "application/octet-stream",
    "answers.csv": "text/csv",
    "answers.json": "application/json",
    "answers.srt": "application/x-subrip",
    "answers.vtt": "text/vtt",
    "seen.mp4": "video/mp4",
}
_REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


def application(folder: Path, access: Access, limits: Limits, at_once: int) -> Starlette:
    """The page.

    Args:
        folder: for clips, of this server's own.
        access: who may use it.
        limits: of what is taken.
        at_once: how many clips are worked on at a time.
    """
    jobs = Jobs(folder, limits, at_once)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        jobs.open()
        try:
            yield
        finally:
            await jobs.close()

    page = _Page(jobs, folder, limits)
    routes = [
        Route("/", page.index),
        Route("/api/options", page.options),
        Route("/api/jobs", page.submit, methods=["POST"]),
        Route("/api/jobs/{id}", page.job, methods=["GET", "DELETE"]),
        Route("/api/jobs/{id}/events", page.events),
        Route("/api/jobs/{id}/result", page.result),
        Route("/api/jobs/{id}/files/{name}", page.file),
        *corpus_routes(),
        Route("/report", page.report),
        Mount("/static", StaticFiles(directory=_STATIC, check_dir=False)),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            Refused: _refused,
            HTTPException: _failed,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.state.jobs = jobs
    return app


class _Page:
    """What is answered to each request."""

    def __init__(self, jobs: Jobs, folder: Path, limits: Limits) -> None:
        self._jobs, self._folder, self._limits = jobs, folder, limits

    async def index(self, _: Request) -> Response:
        """The page itself."""
        return FileResponse(_STATIC / "index.html", headers={"cache-control": "no-cache"})

    async def options(self, _: Request) -> Response:
        """What can be chosen."""
        models = await asyncio.to_thread(offered.models)
        return JSONResponse(
            {
                "version": __version__,
                "notice": NOTICE,
                "models": [asdict(model) for model in models],
                "limits": {
                    "bytes": self._limits.bytes,
                    "seconds": self._limits.seconds,
                    "types": TYPES,
                },
                "corpora": await asyncio.to_thread(corpora.names),
                "report": REPORT.is_file(),
            }
        )

    async def submit(self, request: Request) -> Response:
        """Take a clip."""
        models = [model.id for model in await asyncio.to_thread(offered.models)]
        announced = request.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else self._limits.bytes
        job = self._jobs.reserve(_visitor(request), min(size, self._limits.bytes))
        try:
            upload = await uploads.receive(
                request.stream(), request.headers, job.folder, models, self._limits
            )
            await self._jobs.submit(job, upload)
        finally:
            if job.state == "receiving":  # refused, or the browser has gone
                await self._jobs.forget(job)
        return JSONResponse({"id": job.id}, 201)

    def _job(self, request: Request) -> Job:
        return self._jobs.find(request.path_params["id"], _visitor(request))

    async def job(self, request: Request) -> Response:
        """How a job stands, or its end."""
        job = self._job(request)
        if request.method == "DELETE":
            await self._jobs.forget(job)
        return JSONResponse(self._jobs.told(job))

    async def events(self, request: Request) -> Response:
        """How a job stands, whenever that changes."""
        job = self._job(request)

        async def lines() -> AsyncIterator[str]:
            async for told in self._jobs.events(job):
                yield ": still here\n\n" if told is None else f"data: {json.dumps(told)}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def result(self, request: Request) -> Response:
        """What was found."""
        job = self._done(request)
        return FileResponse(job.folder / "result.json", media_type="application/json")

    async def file(self, request: Request) -> Response:
        """A file of a job."""
        name = request.path_params["name"]
        if name not in _FILES:
            raise Refused(404, "There is no such file.")
        if name == "clip":
            job = self._job(request)
            if job.upload.path is None or not job.upload.path.is_file():
                raise Refused(404, "The clip has not arrived yet.")
            kind, _ = mimetypes.guess_type(job.upload.path.name)
            return FileResponse(job.upload.path, media_type=kind or "application/octet-stream")
        job = self._done(request)
        if name == SEEN:
            await self._jobs.draw(job)
        path = job.folder / name
        if not path.is_file():
            raise Refused(404, "There is no such file for this clip.")
        if name == "points.bin":
            return FileResponse(path, media_type=_FILES[name])
        stem = Path(job.upload.name).stem
        return FileResponse(path, media_type=_FILES[name], filename=f"{stem}.{name}")

    def _done(self, request: Request) -> Job:
        job = self._job(request)
        if job.state != "done":
            raise Refused(404, job.sentence or "The clip is not done yet.")
        return job

    async def report(self, _: Request) -> Response:
        """The report of this folder's run, which may do nothing but be looked at."""
        if not REPORT.is_file():
            raise Refused(404, "There is no report here yet: dvc repro makes it.")
        headers = {"content-security-policy": _REPORT_POLICY}
        return FileResponse(REPORT, media_type="text/html", headers=headers)


def _visitor(request: Request) -> str:
    return str(request.state.visitor)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return JSONResponse({"sentence": error.sentence}, error.status)


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody reads it."""
    return Response(status_code=400)


async def _broken(_: Request, __: Exception) -> Response:
    """What nobody has thought of; Starlette raises it again, so that the terminal shows it."""
    sentence = "The page has failed; the terminal in which it was started has the particulars."
    return JSONResponse({"sentence": sentence}, 500, HEADERS)  # no middleware is left to add them


async def _failed(_: Request, error: Exception) -> Response:
    """What Starlette itself refuses: an unknown address, or method."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"sentence": error.detail}, error.status_code)
