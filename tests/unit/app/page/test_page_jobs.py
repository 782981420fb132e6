import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from facewave.app.page import jobs as module
from facewave.app.page.jobs import Job, Jobs
from facewave.app.page.limits import Limits, Refused
from facewave.app.page.process import EndedError
from facewave.app.page.uploads import Upload


class Pretended:
    """Stands for a process: it does what the clip's name says, when it is let."""

    started: list["Pretended"]
    go: asyncio.Event

    def __init__(self) -> None:
        self.is_alive, self.tasks = True, list[dict[str, Any]]()
        self.started.append(self)

    @classmethod
    async def start(cls, _: Limits) -> "Pretended":
        return cls()

    async def run(self, task: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        self.tasks.append(task)
        yield {"ready": True}
        yield {"stage": "follow faces", "share": 0.5}
        await self.go.wait()
        if task["name"] == "text.mp4":
            yield {"failed": "text.mp4: not a video."}
        elif task["name"] == "huge.mp4":
            raise EndedError("It needs more than 3 GB of memory.")
        elif task["what"] == "draw":
            (Path(task["folder"]) / "seen.mp4").touch()
        elif task["name"] != "lost.mp4":
            (Path(task["folder"]) / "result.json").write_text(json.dumps(task))

    async def kill(self) -> None:
        self.is_alive = False


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended.started = []
    monkeypatch.setattr(module, "Worker", Pretended)


Scenario = Callable[[Jobs], Awaitable[None]]


def played(folder: Path, scenario: Scenario, at_once: int = 1, **limits: Any) -> None:
    async def play() -> None:
        Pretended.go = asyncio.Event()
        jobs = Jobs(folder, Limits(**limits), at_once)
        jobs.open()
        try:
            await asyncio.wait_for(scenario(jobs), 20)
        finally:
            await jobs.close()
        assert not any(process.is_alive for process in Pretended.started)
        assert list(folder.iterdir()) == []

    asyncio.run(play())


async def sent(jobs: Jobs, whose: str, name: str = "face.mp4") -> Job:
    job = jobs.reserve(whose, 100)
    path = job.folder / "clip.mp4"
    path.touch()
    await jobs.submit(job, Upload(["untrained"], name=name, path=path))
    return job


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_jobs_wait_for_their_turn_and_are_told_where_they_stand(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        sent_by = [await sent(jobs, name) for name in "abcd"]
        await until(lambda: sent_by[1].stage != "")
        told = [jobs.told(job) for job in sent_by]
        assert [one["state"] for one in told] == ["running", "running", "queued", "queued"]
        assert [one["position"] for one in told] == [0, 0, 2, 3]
        assert (told[0]["stage"], told[0]["share"]) == ("follow faces", 0.5)
        Pretended.go.set()
        await until(lambda: all(job.state == "done" for job in sent_by))
        assert [len(process.tasks) for process in Pretended.started] == [1, 1, 1, 1, 0]
        assert {process.is_alive for process in Pretended.started[:4]} == {False}

    played(tmp_path, scenario, at_once=2)


def test_a_person_has_one_job_and_all_together_have_so_many(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        first = await sent(jobs, "a")
        jobs.reserve("b", 1)  # its clip is still coming
        for whose, status in (("a", 409), ("b", 409)):
            with pytest.raises(Refused) as info:
                jobs.reserve(whose, 1)
            assert info.value.status == status
        jobs.reserve("c", 1)
        with pytest.raises(Refused) as info:
            jobs.reserve("d", 1)
        assert info.value.status == 503
        Pretended.go.set()
        await until(lambda: first.state == "done")
        second = await sent(jobs, "a")  # whose result makes way
        assert not first.folder.exists()
        with pytest.raises(Refused):
            jobs.find(first.id, "a")
        assert jobs.find(second.id, "a") is second
        with pytest.raises(Refused):
            jobs.find(second.id, "b")

    played(tmp_path, scenario, queue=3)


def test_clips_together_have_so_many_bytes(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        first = await sent(jobs, "a")  # with a clip of no bytes: what was announced is free again
        assert first.size == 0
        jobs.reserve("b", 900)
        with pytest.raises(Refused, match="no room") as info:
            jobs.reserve("c", 101)
        assert info.value.status == 503
        jobs.reserve("c", 100)

    played(tmp_path, scenario, together=1000)


def test_nothing_more_is_told_once_the_server_is_ended(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        job = await sent(jobs, "a")
        async for _ in jobs.events(job):
            jobs.hush()

    played(tmp_path, scenario)


def test_what_goes_wrong_is_told_and_the_next_job_runs(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        Pretended.go.set()
        for name, sentence in [
            ("text.mp4", "not a video"),
            ("huge.mp4", "memory"),
            ("lost.mp4", "could not"),
        ]:
            job = await sent(jobs, name, name)
            async for _ in jobs.events(job):
                pass
            assert job.state == "failed"
            assert sentence in job.sentence
        last = await sent(jobs, "last")
        await until(lambda: last.state == "done")

    played(tmp_path, scenario)


def test_cancelling_kills_and_deletes_at_once(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        running, waiting, behind = [await sent(jobs, name) for name in "abc"]
        await until(lambda: running.stage != "")
        process = next(process for process in Pretended.started if process.tasks)
        await jobs.forget(waiting)
        assert jobs.told(behind)["position"] == 1
        await jobs.forget(running)
        assert not process.is_alive
        assert not running.folder.exists()
        await until(lambda: behind.state == "running")

    played(tmp_path, scenario)


def test_events_end_with_the_job(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        job = await sent(jobs, "a")
        told = []
        async for one in jobs.events(job):
            told.append(one)
            if one and one["state"] == "running":
                Pretended.go.set()
        assert told[-1] == {
            "state": "done", "position": 0, "stage": "follow faces", "share": 1.0, "sentence": ""
        }  # fmt: skip
        assert told[0]
        assert told[0]["state"] in ("queued", "running")

    played(tmp_path, scenario)


def test_results_that_nobody_asks_about_are_deleted(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        Pretended.go.set()
        old, new = await sent(jobs, "a"), await sent(jobs, "b")
        await until(lambda: new.state == "done")
        while old.folder.exists():
            jobs.find(new.id, "b")
            await asyncio.sleep(0.02)
        assert new.folder.exists()
        await until(lambda: not new.folder.exists())

    played(tmp_path, scenario, idle_s=0.2)


def test_the_video_of_what_was_seen_is_made_once_and_when_asked_for(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        Pretended.go.set()
        job = await sent(jobs, "a")
        await until(lambda: job.state == "done")
        assert not (job.folder / "seen.mp4").exists()
        await asyncio.gather(jobs.draw(job), jobs.draw(job))
        assert (job.folder / "seen.mp4").exists()
        await jobs.draw(job)
        drawn = [task for process in Pretended.started for task in process.tasks]
        assert [task["what"] for task in drawn] == ["answer", "draw"]

    played(tmp_path, scenario)


def test_a_process_that_died_while_it_waited_is_replaced(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await until(lambda: bool(Pretended.started))
        Pretended.started[0].is_alive = False
        Pretended.go.set()
        job = await sent(jobs, "a")
        await until(lambda: job.state == "done")
        assert not Pretended.started[0].tasks

    played(tmp_path, scenario)
