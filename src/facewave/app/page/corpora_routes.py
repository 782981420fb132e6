"""The routes of the page's third tab: a corpus's clips, doubts about labels, and relabels."""

import asyncio
import json

import pandas as pd
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from facewave.app.page import relabels
from facewave.app.page.corpora import Corpora, Corpus, rows_of
from facewave.app.page.limits import Refused

_BODY = 8192  # bytes
_BODY_S = 10.0  # in which they must have come


def corpus_routes() -> list[Route]:
    """What may be asked of corpora."""
    page, base = _Routes(), "/api/corpora/{name}"
    return [
        Route(f"{base}/clips", page.clips),
        Route(f"{base}/clips/{{video_idx:path}}/video", page.video),
        Route(f"{base}/clips/{{video_idx:path}}/picture", page.picture),
        Route(f"{base}/suspects", page.suspects),
        Route(f"{base}/relabels", page.relabels, methods=["GET", "POST"]),
        Route(f"{base}/relabels/{{video_idx:path}}", page.take_back, methods=["DELETE"]),
    ]


class _Routes:
    """What is answered to each request."""

    def __init__(self) -> None:
        self._corpora = Corpora()

    async def _corpus(self, request: Request) -> Corpus:
        return await asyncio.to_thread(self._corpora.get, request.path_params["name"])

    async def clips(self, request: Request) -> Response:
        """A page of clips."""
        corpus = await self._corpus(request)
        return JSONResponse(await asyncio.to_thread(corpus.clips, dict(request.query_params)))

    async def suspects(self, request: Request) -> Response:
        """Clips whose label a model doubts."""
        corpus = await self._corpus(request)
        rows = await asyncio.to_thread(corpus.suspects)
        return JSONResponse({"rows": rows, "words": corpus.words})

    async def video(self, request: Request) -> Response:
        """A clip's video."""
        corpus = await self._corpus(request)
        path, kind = await asyncio.to_thread(corpus.video, request.path_params["video_idx"])
        return FileResponse(path, media_type=kind)

    async def picture(self, request: Request) -> Response:
        """A clip's face."""
        corpus = await self._corpus(request)
        content = await asyncio.to_thread(corpus.picture, request.path_params["video_idx"])
        return Response(content, media_type="image/jpeg")

    async def relabels(self, request: Request) -> Response:
        """All relabels of a corpus, after one was added, if one was sent."""
        corpus, name = await self._corpus(request), request.path_params["name"]
        if request.method != "POST":
            return _listed(corpus, name, await asyncio.to_thread(relabels.read, name))
        given = await _json(request)
        clips = set(corpus.table["video_idx"])
        table = await asyncio.to_thread(relabels.put, name, given, clips, corpus.words)
        return _listed(corpus, name, table)

    async def take_back(self, request: Request) -> Response:
        """All relabels of a corpus without one."""
        corpus = await self._corpus(request)
        name, video_idx = request.path_params["name"], request.path_params["video_idx"]
        return _listed(corpus, name, await asyncio.to_thread(relabels.take_back, name, video_idx))


def _listed(corpus: Corpus, name: str, table: pd.DataFrame) -> Response:
    """Relabels with the clips' files and labels, and the file that they stand in."""
    known = corpus.table.drop_duplicates("video_idx")[["video_idx", "file_path", "actual"]]
    rows = rows_of(table.merge(known, "left", "video_idx"))
    return JSONResponse({"rows": rows, "file": relabels.path(name).as_posix()})


async def _json(request: Request) -> object:
    """A small JSON body.

    Raises:
        Refused: it is none.
    """
    body = b""
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY:
                    raise Refused(413, "The note is too long.")
    except TimeoutError:
        raise Refused(408, "The request was too slow.") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "The request is no JSON.") from None
