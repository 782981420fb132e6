"""A model on a server: made, asked and answered for, against the same model in this process."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chat_server import NAME, ChatServer, Handler, next_logs, serving, status, turns_of
from facewave import params
from facewave.errors import UserError
from facewave.labels.schema import spoken
from facewave.models.vlm.conversations import Turn
from facewave.prediction.__main__ import _answer
from facewave.prediction.__main__ import main as predict
from facewave.prompts import connections, served
from facewave.prompts.examples import Example, Examples, gather
from facewave.prompts.protocol import Reply
from facewave.prompts.server import ALLOWED, KEYS
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.training.served import Served
from facewave.workspace import Clips, Dataset
from language_project import settings as write_settings
from language_project import write_project

SECRET = "sk-secret"


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    return folder


@pytest.fixture
def server(
    chat: ChatServer, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChatServer]:
    """A server, asked from a project with a cache of its own."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(connections, "_BACKOFF_S", 0.0)
    for name in (ALLOWED, *KEYS):
        monkeypatch.delenv(name, raising=False)
    chat.asked.clear()
    yield chat
    chat.faults.clear()
    chat.refuses, chat.writes, chat.knows = (
        lambda _: 0,
        None,
        {"schema", "logprobs", "max_tokens"},
    )
    shutil.rmtree("models", ignore_errors=True)


def made(server: ChatServer, **language: Any) -> schema.Trained:
    """The model, as stage train makes it."""
    write_settings(Path(), "served", mode="zero_shot", **language,
                   server={"address": server.address, "model": "", "parallel": 3})  # fmt: skip
    train()
    return schema.load(schema.folder("split", schema.MODEL))


def clips(rows: Sequence[int]) -> Clips:
    return Dataset("demo", params.load()).clips().select(list(rows))


def expected(server: ChatServer, trained: Any, some: Clips) -> list[dict[str, float]]:
    """What the same model says in this process, by the bytes where labels part."""
    prompted = gather(some, (), trained.settings)
    shots = gather(clips(range(len(Dataset("demo", params.load()).clips()))), (), trained.settings)
    names = shots.table["video_idx"].tolist()
    shots = shots.select([names.index(name) for name in trained.shots])
    model = server.model
    labels = [json.dumps({"answer": spoken(word)}).encode() for word in trained.classes]

    def shared(inputs: Any, written: bytes, among: list[bytes]) -> dict[bytes, float]:
        if len(among) == 1:
            return {among[0]: 1.0}
        at = len(written)
        groups: dict[bytes, list[bytes]] = {}
        for label in among:
            groups.setdefault(label[at : at + 1], []).append(label)
        logs = next_logs(model, inputs, written, list(groups))
        found = dict[bytes, float]()
        for log, (byte, group) in zip(logs, groups.items(), strict=True):
            inner = shared(inputs, written + byte, group)
            if log < max(logs):  # not on the way that is written
                inner = dict.fromkeys(group, 1 / len(group))
            found |= {label: float(np.exp(log)) * share for label, share in inner.items()}
        return found

    conversations = Examples(prompted, shots, trained.classes, (), trained.settings, 0)
    by_clip = []
    for row in range(len(conversations)):
        of_label = shared(model.backbone.inputs([conversations[row].turns]), b"", labels)
        total = sum(of_label.values())
        by_clip.append({word: of_label[label] / total
                        for word, label in zip(trained.classes, labels, strict=True)})  # fmt: skip
    return by_clip


def test_answers_are_those_of_the_same_model_in_this_process(server: ChatServer) -> None:
    trained: Any = made(server, frames=2, examples=1, prompt="{face}{facts} {labels}?")
    assert not server.bodies  # its name alone
    assert (trained.type, trained.identity.id, len(trained.shots)) == ("served", NAME, 2)
    some = clips([0, 1, 2])
    found = trained.answer(some)
    assert found["answered_from"].tolist() == ["frames", "face", "face"]
    for (_, row), shares in zip(found.iterrows(), expected(server, trained, some), strict=True):
        assert {word: row[f"p_{word}"] for word in shares} == pytest.approx(shares, rel=1e-4)
        assert row["predicted"] == max(shares, key=lambda word: shares[word])
    shares_nC = found.filter(regex="^p_").to_numpy()
    assert (np.ptp(shares_nC, axis=0) / shares_nC.mean(axis=0)).max() > 2e-3  # clips differ more
    first, *_ = server.bodies
    roles = [message["role"] for message in first["messages"]]
    assert roles == ["user", "assistant", "user"]
    question = first["messages"][-1]["content"]
    assert [part["type"] for part in question] == ["image_url", "image_url", "text"]
    assert "Face: " in question[-1]["text"]
    assert "<face>" not in json.dumps(first)

    # All of it is kept: nobody is asked again, whatever the address, and the count is the same.
    n, usage = len(server.bodies), trained.usage
    assert (n, usage["clips"], usage["failed"]) == (3, 3, 0)
    again: Any = schema.load(schema.folder("split", schema.MODEL))
    again.settings = replace(again.settings, server=params.Server("https://far.example", "", 1))
    pd.testing.assert_frame_equal(again.answer(some), found)
    assert len(server.bodies) == n
    assert again.usage == usage
    with pytest.raises(UserError, match=r"would be sent to https://far\.example"):
        again.answer(clips([6]))


def test_tokens_are_counted_and_the_caches_told_apart(
    server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = made(server, frames=1)
    capsys.readouterr()
    trained.answer(clips([0, 1]))
    assert trained.usage
    usage = trained.usage
    answered = [json.loads(text) for text in server.answered[-2:]]
    read = server.model.backbone.inputs
    lengths = [read([turns_of(body["messages"])])["input_ids"].shape[1] for body in answered]
    assert usage["prompt_tokens"] == sum(lengths)
    assert 20 < usage["completion_tokens"] < 80  # a token per byte
    assert usage["seconds"] > 0
    assert f"{NAME}: 2 clips, 0 of them from the cache; 2 answered now, for" in _told(capsys)
    trained.answer(clips([0, 1, 2]))
    assert "3 clips, 2 of them from the cache; 1 answered now" in _told(capsys)
    assert trained.usage["prompt_tokens"] == pytest.approx(sum(lengths) * 1.5, rel=0.1)


def _told(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_what_a_server_does_not_know_is_done_without(
    server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: Any = made(server, frames=1)
    settings = trained.settings
    for knows, writes, word, n_refused in (
        ({"schema", "max_tokens"}, None, None, 1),
        ({"logprobs", "max_tokens"}, "It is a SAD face.", "sad", 2),
        (set(), '{"answer": "fear"}', "fear", 7),  # as OpenAI's models that think
        ({"max_tokens"}, "sad or happy", "", 3),
        ({"max_tokens"}, "It is sad, " + "and sad " * 20, "", 3),  # cut
    ):
        server.knows, server.writes = knows, writes
        n_asked = len(server.bodies)
        prompt = "{labels}" + "?" * len(server.asked)  # nothing is kept of it
        trained.settings = replace(settings, prompt=prompt)
        found = trained.answer(clips([1, 2]))
        likeliest = found.filter(regex="^p_").max(axis=1)
        if word == "":
            assert found["predicted"].tolist() == ["", ""]
            assert likeliest.tolist() == pytest.approx([1 / 7] * 2)
        else:
            assert word is None or found["predicted"].tolist() == [word] * 2
            assert likeliest.tolist() == [1, 1]
        way, other = [body.keys() for body in server.bodies[-2:]]
        assert way == other
        assert len(server.bodies) - n_asked == 2 + n_refused  # chosen once
        assert ("temperature" in way) == ("max_tokens" in knows)
    assert served.word_of(Reply("[" * 100_000, [], 0, 0, 0.0), ["sad"]) == ""
    assert "2 with one of more than 64 tokens, which is not read;" in _told(capsys)
    server.asked.clear()
    server.writes = "neither happy nor sad"
    config = json.loads((schema.folder("split", schema.MODEL) / "config.json").read_text())
    config["settings"]["answers"] = "generation"
    written = Served.load(Path(), config)
    assert written.writes
    assert written.answer(clips([1]))["predicted"].tolist() == [""]
    [body] = server.bodies
    assert not {"response_format", "logprobs"} & set(body)


def test_a_clip_that_fails_is_marked_and_all_that_fail_are_the_end(
    server: ChatServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[0], SECRET)
    trained = made(server, frames=1, transcript="known", prompt="{labels}?{transcript}")
    some = clips([1, 2, 3])
    some.table["transcript"] = ["one", "two", "three"]
    server.refuses = lambda text: 500 * ("two" in text)
    server.faults.extend([status(429, Retry_After="0"), status(503)])
    found = trained.answer(some)
    assert (found["predicted"] == "").tolist() == [False, True, False]
    assert found.filter(regex="^p_").iloc[1].tolist() == pytest.approx([1 / 7] * 7)
    assert trained.usage
    assert trained.usage["failed"] == 1
    told = _told(capsys)
    assert "3 clips, 0 of them from the cache, 1 without an answer (the last: status 500" in told
    server.refuses = lambda text: 500 * ("two" in text or "four" in text)
    some.table["transcript"] = ["two", "four", "two and four"]
    with pytest.raises(UserError, match=r"has no answer to 3 clips in a row: status 5"):
        trained.answer(some)
    server.refuses = lambda _: 0
    # A clip that is refused does not change the way in which others are asked.
    some.table["transcript"] = ["uno", "dos", "tres"]
    n = len(server.bodies)
    server.refuses = lambda text: 400 * ("dos" in text and "schema" in text)
    assert (trained.answer(some)["predicted"] == "").tolist() == [False, True, False]
    assert len(server.bodies) - n == 3
    some.table["transcript"] = ["one", "two", "three"]
    assert (trained.answer(some)["predicted"] != "").all()  # failures are not kept
    # What is kept and told has neither the key nor a picture.
    kept = b"".join(
        file.read_bytes()
        for folder in (Path("models"), Path(str(os.environ["FACEWAVE_CACHE"])) / "served")
        for file in folder.rglob("*") if file.is_file()
    )  # fmt: skip
    told += _told(capsys)
    for text in (kept, told.encode()):
        assert SECRET.encode() not in text
        assert b"iVBOR" not in text
    assert b"completion_tokens" in kept


def test_other_weights_by_the_same_name_are_another_model(server: ChatServer) -> None:
    model, some, known = made(server, frames=0), clips([1]), server.models
    model.answer(some)
    server.models = [{"id": NAME, "root": "/other/weights"}]
    earlier = schema.load(schema.folder("split", schema.MODEL))
    earlier.answer(some)  # is kept
    shutil.rmtree(os.environ["FACEWAVE_CACHE"])
    with pytest.raises(UserError, match=f"has other weights as {NAME} than when"):
        earlier.answer(some)
    server.models = known
    earlier.answer(some)
    n = len(server.bodies)
    server.models = [{"id": NAME, "root": "/other/weights"}]
    made(server, frames=0).answer(some)
    assert len(server.bodies) == n + 1
    server.models = known


def test_the_stages_know_what_it_is(server: ChatServer) -> None:
    trained = made(server, frames=1)
    predict()
    described = json.loads(Path("data/answers/models.json").read_text())["roles"]["model"]
    assert (described["kind"], described["weights"], described["trained"]) == ("served", NAME, 0)
    assert described["usage"]["split"]["clips"] > 0
    answers = [Path("data/answers", name).read_bytes() for name in ("answers.csv", "models.json")]
    n = len(server.bodies)
    predict()
    assert answers == [
        Path("data/answers", name).read_bytes() for name in ("answers.csv", "models.json")
    ]
    assert len(server.bodies) == n
    # What a killed run has left of the stage's answers does not hide what they took.
    folder, test = schema.folder("split", schema.MODEL), clips([0, 1])
    for _ in range(2):
        again = schema.load(folder)
        _answer(again, test, folder)
        assert again.usage
    assert f"| answers by | {NAME}, a language model on a server |" in trained.card()
    assert trained.line().startswith(f"served: {NAME}, learnt from demo")
    wrong: list[dict[str, Any]] = [{"mode": "finetune"}, {"by_prior": True}, {"by_length": True}]
    for language in wrong:
        write_settings(Path(), "served", **{"mode": "zero_shot"} | language)
        name = next(iter(language))
        with pytest.raises(
            UserError, match=rf"train\.model is served, so set train\.language\.{name}"
        ):
            params.load()


def test_nobody_waits_for_what_is_under_way_when_a_run_is_stopped(server: ChatServer) -> None:
    trained: Any = made(server, frames=0)
    hanging, nothing = Event(), np.empty(0)

    def hang(_: Handler) -> None:
        hanging.wait(20)

    def asking(question: str) -> Example:
        turns = [Turn([], 0.0, question)]
        return Example(turns, nothing.astype(np.float32), nothing.astype(bool), "", nothing)

    def examples() -> Iterator[Example]:
        yield asking("Who?")
        server.faults.append(hang)
        yield asking("And who?")
        while server.faults:
            time.sleep(0.01)
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        served.replies(examples(), 3, trained.identity, lambda: trained._server, [{}], 2)
    assert time.monotonic() - start < 5
    hanging.set()
