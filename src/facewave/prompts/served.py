"""What a served language model answers about clips, kept so that none is asked about twice.

An answer is filed under the SHA-256 of all that it follows from: the request with its pictures, and
the model as the server names it, whatever its address. The folder is the user's, where the
detections are (``files.cache_folder``). It has texts and numbers, no picture and no key.
"""

import base64
import hashlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing.pool import AsyncResult, ThreadPool
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from tqdm import tqdm

from facewave import files
from facewave.errors import UserError
from facewave.labels.schema import spoken
from facewave.models.vlm.conversations import Turn
from facewave.prompts.examples import Example
from facewave.prompts.protocol import Identity, Reply
from facewave.prompts.reading import read
from facewave.prompts.server import NoAnswerError, Server
from facewave.prompts.token_shares import shares

VERSION = 1  # of how a clip is asked about: raise it when that changes
_KEY = "answer"  # of the object that the schema of an answer describes
_TOP = 20  # likely tokens in place of each; no server tells more
_MAX_TOKENS = 64  # of an answer with a label
_THOUGHTS = 4096  # tokens of what a model may think before it, where that counts, too
_REFUSED = (400, 415, 422, 501)  # statuses of requests that a server does not understand
_HOPELESS = 20  # clips without an answer, one after the other


@dataclass(frozen=True)
class Usage:
    """What answers have taken: the same whether they came from the cache or not."""

    clips: int = 0  # that were asked about
    failed: int = 0  # of them, without an answer
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # of all requests, one after the other


def messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """A conversation in the protocol's form: a clip's pictures, as they are, then the question."""
    told: list[dict[str, Any]] = []
    for turn in turns:
        content = [
            {"type": "image_url", "image_url": {"url": _as_url(picture)}}
            for picture in turn.pictures
        ]
        told.append(
            {"role": "user", "content": [*content, {"type": "text", "text": turn.question}]}
        )
        if turn.answer:
            told.append({"role": "assistant", "content": turn.answer})
    return told


def ways(words: Sequence[str], *, constrained: bool) -> list[dict[str, Any]]:
    """What is added to a request, from what tells most to what every server understands.

    Constrained to the words by a JSON schema (vLLM, Ollama, llama.cpp and OpenAI know it in this
    form) and with log probabilities; with one of the two; with neither.
    """
    if not constrained:
        return [{}]
    answer = {"type": "string", "enum": [spoken(word) for word in words]}
    schema = {
        "type": "object",
        "properties": {_KEY: answer},
        "required": [_KEY],
        "additionalProperties": False,
    }
    form = {"name": _KEY, "strict": True, "schema": schema}
    one_of = {"response_format": {"type": "json_schema", "json_schema": form}}
    likely = {"logprobs": True, "top_logprobs": _TOP}
    return [one_of | likely, one_of, likely, {}]


def replies(
    examples: Iterable[Example],
    count: int,
    identity: Identity,
    connect: Callable[[], Server],
    extras: Sequence[dict[str, Any]],
    parallel: int,
    max_tokens: int = _MAX_TOKENS,
) -> tuple[list[Reply | None], Usage]:
    """The answer to each conversation, None where there is none; and what they took.

    All are asked in one way: the first answer's, the first of the ways that the server does not
    refuse. It says how many answers came from the cache, and what the others took.

    Args:
        examples: the conversations.
        count: how many they are.
        identity: of the model.
        connect: reaches the server; called when the first answer is missing.
        extras: what may be added to a request (``ways``), best first.
        parallel: conversations at a time.
        max_tokens: of an answer.

    Raises:
        UserError: there is no answer to any, or to many one after the other.
    """
    # OpenAI's models that think refuse a temperature, and the limit by its name elsewhere.
    limits: list[dict[str, Any]] = [
        {"max_tokens": max_tokens, "temperature": 0},
        {"max_completion_tokens": max_tokens + _THOUGHTS},
    ]
    asker = _Asker(identity, connect, [limit | extra for limit in limits for extra in extras])
    answered, fresh, in_a_row, problem = list[Reply | None](), list[Reply](), 0, ""
    fixed = {"model": identity.id, "seed": 0}
    requests = (fixed | {"messages": messages(example.turns)} for example in examples)
    outcomes = _in_order(asker, requests, parallel)
    for outcome, is_kept in tqdm(outcomes, "answers", count, unit="clip", leave=False):
        if isinstance(outcome, Reply):
            answered.append(outcome)
            fresh += [] if is_kept else [outcome]
            in_a_row = 0
            continue
        answered.append(None)
        problem, in_a_row = str(outcome), in_a_row + 1
        if in_a_row == min(_HOPELESS, count):
            clips = "the clip" if in_a_row == 1 else f"{in_a_row} clips in a row"
            raise UserError(
                f"{identity.id} has no answer to {clips}: {problem}. "
                "What it has answered is kept: see what it says, and run the same again."
            )
    usage = _usage(answered)
    n_cached = usage.clips - usage.failed - len(fresh)
    failed = f", {usage.failed} without an answer (the last: {problem})" if usage.failed else ""
    if n_cut := sum(reply.is_cut for reply in answered if reply):
        failed += f", {n_cut} with one of more than {max_tokens} tokens, which is not read"
    now = _usage(fresh)
    tqdm.write(
        f"{identity.id}: {usage.clips} clips, {n_cached} of them from the cache{failed}; "
        f"{now.clips} answered now, for {now.prompt_tokens:,} tokens of prompts and "
        f"{now.completion_tokens:,} of answers in {now.seconds:,.1f} s of requests",
        sys.stderr,  # what is asked for may go to stdout
    )
    return answered, usage


def _usage(answered: Sequence[Reply | None]) -> Usage:
    there = [reply for reply in answered if reply]
    return Usage(
        len(answered),
        len(answered) - len(there),
        sum(reply.prompt_tokens for reply in there),
        sum(reply.completion_tokens for reply in there),
        round(sum(reply.seconds for reply in there), 3),
    )


def word_of(reply: Reply, words: Sequence[str]) -> str:
    """The label in an answer, JSON or text, read strictly; "" if it has none, or no end."""
    if reply.is_cut:
        return ""
    try:
        text = TypeAdapter(dict[str, Any]).validate_json(reply.text)[_KEY]
    except (ValueError, KeyError):
        text = reply.text
    return read(text, words) if isinstance(text, str) else ""


def probabilities(reply: Reply | None, words: Sequence[str]) -> NDArray[np.float32]:
    """Of the labels, (C,): by the tokens' log probabilities, else 1 of the one that is written.

    0 for all without an answer that can be read.
    """
    word = word_of(reply, words) if reply else ""
    likely = None
    if reply and word:
        likely = shares(reply.tokens, spoken(word), [spoken(one) for one in words])
    return np.array(likely or [float(one == word) for one in words], np.float32)


class _Asker:
    """Asks about one conversation after another, all in one way, and keeps what it is told."""

    def __init__(
        self, identity: Identity, connect: Callable[[], Server], ways: Sequence[dict[str, Any]]
    ) -> None:
        self._identity, self._connect, self._connecting = identity, cache(connect), Lock()
        self._ways = ways  # until one is chosen, those to try

    @property
    def is_decided(self) -> bool:
        """Whether it is known in which way to ask; until then no two are asked at a time."""
        return len(self._ways) == 1

    def outcome(self, request: dict[str, Any]) -> tuple[Reply | NoAnswerError, bool]:
        """What has been answered before or is answered now, and whether it is from before."""
        for way in self._ways:
            try:
                content = self._path(request | way).read_bytes()
                reply = TypeAdapter(Reply).validate_json(content)
            except (FileNotFoundError, ValueError):  # a damaged one is asked for again
                continue
            self._ways = [way]
            return reply, True
        return self._ask(request), False

    def _ask(self, request: dict[str, Any]) -> Reply | NoAnswerError:
        with self._connecting:
            server = self._connect()  # once
        for way in self._ways:
            try:
                reply = server.ask(request | way)
            except NoAnswerError as error:
                problem = error
                if error.status not in _REFUSED:
                    break
            else:
                self._ways = [way]
                files.write_json(self._path(request | way), asdict(reply))
                return reply
        return problem

    def _path(self, body: Mapping[str, Any]) -> Path:
        follows = {"body": body, "model": asdict(self._identity), "version": VERSION}
        key = hashlib.sha256(json.dumps(follows, sort_keys=True).encode()).hexdigest()
        return files.cache_folder("served") / key[:2] / f"{key}.json"


def _in_order(
    asker: _Asker, requests: Iterable[dict[str, Any]], parallel: int
) -> Iterator[tuple[Reply | NoAnswerError, bool]]:
    """Each request's outcome, and whether it was kept; some requests are under way at a time.

    Those under way when it ends early are not waited for.
    """
    waiting = deque[AsyncResult[tuple[Reply | NoAnswerError, bool]]]()
    with ThreadPool(parallel) as pool:
        for request in requests:
            if not asker.is_decided:  # nothing is waiting yet
                yield asker.outcome(request)
                continue
            waiting.append(pool.apply_async(asker.outcome, (request,)))
            if len(waiting) > 2 * parallel:
                yield waiting.popleft().get()
        for outcome in waiting:
            yield outcome.get()


def _as_url(picture: NDArray[np.uint8]) -> str:
    """A picture as a data URL: PNG, which loses nothing."""
    encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(encoded).decode()}"
