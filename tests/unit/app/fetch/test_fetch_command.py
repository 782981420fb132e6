"""``facewave fetch`` as a person uses it, from a server on loopback."""

import hashlib
import io
import json
import os
import shlex
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from facewave import params
from facewave.app import entries
from facewave.app.fetch import command, registry
from facewave.app.fetch.download import Remote
from facewave.app.fetch.registry import CORPORA, OpenCorpus, listed, pointers, zenodo
from facewave.labels import schema as labels
from facewave.labels.collect import sources
from facewave.labels.readers import CORPORA as READERS
from facewave.labels.readers import ravdess
from faulty_server import Handler, Server, cut, status
from lfs_server import CONTENTS, pointer_of, store
from making import REPOSITORY
from running import facewave

Facewave = Callable[..., tuple[int, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]) -> Facewave:
    """``facewave fetch``: its exit code, and all that it printed but for the progress."""

    def call(*words: str) -> tuple[int, str]:
        code = facewave("fetch", *words)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, name * 100)
    return packed.getvalue()


def put(monkeypatch: pytest.MonkeyPatch, corpus: OpenCorpus) -> None:
    monkeypatch.setitem(CORPORA, corpus.name, corpus)


@pytest.fixture
def small(server: Server, monkeypatch: pytest.MonkeyPatch) -> OpenCorpus:
    """RAVDESS as Zenodo has it, in small: a listing and three archives."""
    files, sizes = [], {}
    for actor in ("01", "02", "03"):
        name = f"Video_Speech_Actor_{actor}.zip"
        content = zipped(f"Actor_{actor}/01-01-05-01-01-01-{actor}.mp4")
        server.files[f"/{name}"] = content
        sizes[name] = len(content)
        digest = f"md5:{hashlib.md5(content).hexdigest()}"
        links = {"self": server.url(f"/{name}")}
        files.append({"key": name, "size": len(content), "checksum": digest, "links": links})
    server.files["/api/records/1"] = json.dumps({"files": files}).encode()
    corpus = replace(
        CORPORA["ravdess"],
        size=sum(sizes.values()),
        disk=10_000,
        plan=zenodo(server.url("/api/records/1"), sizes),
    )
    put(monkeypatch, corpus)
    return corpus


def clips(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.mp4"))


ALL = [f"Actor_{actor}/01-01-05-01-01-01-{actor}.mp4" for actor in ("01", "02", "03")]


def test_a_corpus_is_fetched_once_and_its_entry_written(
    small: OpenCorpus, server: Server, run: Facewave, project: Path
) -> None:
    before = Path("params.yaml").read_text("utf-8")
    code, printed = run("ravdess", "--yes")
    assert code == 0
    for part in ("CC BY-NC-SA 4.0", "Livingstone SR", "3 downloads, all checked", "dvc exp run -n"):
        assert part in printed
    folder = project / "data/raw/ravdess"
    assert clips(folder) == ALL
    assert not list(folder.glob("*.zip")) + list(folder.glob(".*.part"))
    added = "  ravdess:\n    reader: ravdess\n    root: data/raw/ravdess\n"
    assert added in Path("params.yaml").read_text("utf-8")
    assert params.dataset(params.load(), "ravdess").licence == "CC BY-NC-SA 4.0"
    server.asked.clear()
    entered = Path("params.yaml").read_bytes()
    code, printed = run("ravdess")  # nothing is fetched, so nobody is asked
    assert (code, server.asked) == (0, [])
    assert "all of it is in" in printed
    assert "it stays as it is" in printed
    assert Path("params.yaml").read_bytes() == entered
    assert len(before) < len(entered)
    for remains in (None, b"half of it"):
        (folder / ALL[1]).unlink()
        if remains:
            (folder / ALL[1]).write_bytes(remains)
        server.asked.clear()
        assert run("ravdess", "--yes")[0] == 0
        asked = [path for path, _ in server.asked]
        assert asked == ["/api/records/1", "/Video_Speech_Actor_02.zip"]


def test_an_interrupted_run_keeps_what_is_there(
    small: OpenCorpus, server: Server, run: Facewave, project: Path
) -> None:
    def ctrl_c(request: Handler) -> None:
        time.sleep(0.2)  # until the others are there
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        request.close_connection = True

    server.faults["/Video_Speech_Actor_03.zip"] = [cut(50), ctrl_c]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup has it ignored
    code, printed = run("ravdess", "--yes")
    signal.signal(signal.SIGINT, before)
    assert code == 130
    assert "Ctrl-C stops it; the same command goes on from there" in printed
    folder = project / "data/raw/ravdess"
    assert clips(folder) == ALL[:2]
    with (folder / command.JOURNAL).open("a") as journal:
        journal.write('{"fetched": "cut o')  # as a power cut may leave it
    server.asked.clear()
    assert run("ravdess", "--yes")[0] == 0
    assert clips(folder) == ALL
    assert server.ranges("/Video_Speech_Actor_03.zip") == ["bytes=50-"]
    assert len(server.asked) == 2
    assert "all of it is in" in run("ravdess")[1]


def test_nothing_is_fetched_without_consent_room_or_a_record_as_it_was(
    small: OpenCorpus,
    server: Server,
    run: Facewave,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, printed = run("ravdess")
    assert (code, server.asked) == (2, [])
    assert "CC BY-NC-SA 4.0" in printed
    assert "run facewave fetch ravdess --yes" in printed
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    code, printed = run("ravdess")
    assert (code, server.asked) == (2, [])
    assert "nothing was fetched" in printed
    put(monkeypatch, replace(small, disk=1 << 60))
    code, printed = run("ravdess", "--yes")
    assert (code, server.asked) == (2, [])
    assert "free, and 1.2 EB more are wanted" in printed
    put(monkeypatch, small)
    listing = json.loads(server.files["/api/records/1"])
    listing["files"][0]["size"] += 1
    for content, message in (
        (json.dumps(listing).encode(), "Video_Speech_Actor_01.zip should have"),
        (b'{"files": []}', "Video_Speech_Actor_01.zip should have"),
        (b'{"files": [{"key": 1}]}', "lists no files with sizes and checksums"),
    ):
        server.files["/api/records/1"] = content
        code, printed = run("ravdess", "--yes")
        assert code == 2
        assert message in printed
    assert not clips(project)
    assert "ravdess:" not in Path("params.yaml").read_text("utf-8")
    code, printed = run("ravdes", "--yes")
    assert code == 2
    assert "there are ravdess-au, ravdess-tracks, ravdess, crema-d" in printed


def test_a_malicious_archive_is_neither_unpacked_nor_noted(
    server: Server, run: Facewave, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped("fine.csv", "../../../outside.csv")
    server.files["/a.zip"] = content
    digest = f"md5:{hashlib.md5(content).hexdigest()}"
    remote = Remote("a.zip", server.url("/a.zip"), len(content), digest)
    put(monkeypatch, replace(CORPORA["ravdess-tracks"], plan=listed(remote), disk=0))
    code, printed = run("ravdess-tracks", "--yes", "--into", "corpora/tracks")
    assert code == 2
    assert "'../../../outside.csv' leaves the folder" in printed
    assert not list(project.rglob("*.csv"))


def test_crema_d_comes_by_its_pointers(
    server: Server, run: Facewave, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CORPORA["crema-d"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in CONTENTS.items():
            archive.writestr(f"CREMA-D-master/{path}", pointer_of(content))
        for path in real.texts:
            archive.writestr(f"CREMA-D-master/{path}", f"content of {path}")
        archive.writestr("CREMA-D-master/AudioWAV/a.wav", pointer_of(b"sound"))
        archive.writestr("CREMA-D-master/finishedResponses.csv", "not wanted")
    server.files["/zip"] = packed.getvalue()
    plan = pointers(server.url("/zip"), real.texts, "VideoFlash", ".flv")
    hub, mirror = store(server, "hub", ("VideoFlash/2.flv",)), store(server, "mirror")
    put(monkeypatch, replace(real, plan=plan, servers=(hub, mirror)))
    server.faults["/hub/VideoFlash/4.flv"] = [status(404)]
    code, printed = run("crema-d", "--yes")
    assert code == 2
    assert "404" in printed
    server.asked.clear()
    code, printed = run("crema-d", "--yes")
    assert code == 0
    folder = project / "data/raw/crema-d"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*CONTENTS, *real.texts, command.JOURNAL}
    assert all((folder / path).read_bytes() == content for path, content in CONTENTS.items())
    assert params.dataset(params.load(), "crema-d").reader == "crema_d"
    assert "all of it is in" in run("crema-d")[1]
    (folder / "SentenceFilenames.csv").unlink()
    assert run("crema-d", "--yes")[0] == 0
    assert (folder / "SentenceFilenames.csv").exists()
    put(monkeypatch, replace(real, plan=pointers(server.url("/zip"), ("new.csv",), "a", "b")))
    shutil.rmtree(folder)
    code, printed = run("crema-d", "--yes")
    assert code == 2
    assert "has no new.csv: the repository was rearranged" in printed


def test_the_list_and_the_registry(run: Facewave) -> None:
    code, printed = run()
    assert code == 0
    for corpus in CORPORA.values():
        assert f"\n  {corpus.name:<15} " in printed
        entries.add(corpus.name, {**corpus.entry, "root": "somewhere"})
        assert corpus.source.startswith("https://")
        assert corpus.cite
    for name, entry in params.load().datasets.items():  # each is as params.yaml and reader want it
        assert sources(entry, name)
    for size in ("1.4 MB", "417.2 MB", "13.4 GB", "some 3 GB"):
        assert f"  {size:<9}  " in printed
    plan = registry.CORPORA["ravdess-au"].plan(None, Path())  # type: ignore[arg-type]
    assert len({remote.path for remote in plan}) == 11


def test_without_a_project_the_entry_is_printed(
    small: OpenCorpus, run: Facewave, project: Path
) -> None:
    Path("params.yaml").unlink()
    code, printed = run("ravdess", "--yes", "--into", "here")
    assert code == 0
    assert "in a project, this is its entry:\n  ravdess:\n    reader: ravdess\n" in printed
    assert "    root: here\n" in printed


def test_the_real_table_and_answers_have_the_registered_sizes_and_hashes(
    server: Server,
    run: Facewave,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables = os.environ.get("FACEWAVE_TEST_TABLES")
    if not tables:
        pytest.skip("no real tables: set FACEWAVE_TEST_TABLES to their folder")
    real, remotes = CORPORA["ravdess-au"], []
    for remote in real.plan(None, Path()):  # type: ignore[arg-type]
        server.files[f"/{remote.path}"] = Path(tables, "ravdess-au", remote.path).read_bytes()
        remotes.append(replace(remote, url=server.url(f"/{remote.path}")))
    put(monkeypatch, replace(real, plan=listed(*remotes)))
    code, printed = run("ravdess-au", "--yes")
    assert code == 0
    table = project / "data/raw/ravdess-au/mean_action_units.csv"
    assert table.stat().st_size == 892_183
    following = printed.partition("next:\ndvc exp run -n ravdess-au ")[2].replace("\\\n", "")
    *then, compare = [line for line in following.splitlines() if line.startswith("facewave")]
    assert compare == "facewave compare model au-bilstm"
    reader = READERS["ravdess"]
    fold_of = reader.fold_of("luna-jimenez")
    records = reader.read(table.parent, params.dataset(params.load(), "ravdess-au"))
    clips = pd.DataFrame(
        {
            "video_idx": [record.video_idx for record in records],
            "file_path": "",
            "actual": [record.word for record in records],
            "subject": [record.subject for record in records],
            "fold": [fold_of[record.subject] for record in records],
            "dataset": "ravdess-au",
        }
    )
    labels.write(project / "data/labels/ravdess-au.csv", clips, ravdess.WORDS)
    for line, accuracy in zip(then, ("60.2", "62.1"), strict=True):
        assert facewave(*shlex.split(line)[1:]) == 0
        assert f"1,440 clips of ravdess-au; WAR {accuracy} %" in capsys.readouterr().out
