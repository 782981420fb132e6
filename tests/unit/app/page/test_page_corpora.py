import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from starlette.applications import Starlette

import making
from asking import Answer, ask
from facewave.app.page import server
from facewave.app.page.access import Access
from facewave.app.page.limits import Limits
from facewave.labels.readers.dfew import WORDS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty clips of a toy corpus, of which one is not usable; two videos."""
    monkeypatch.chdir(tmp_path)
    making.write_params(tmp_path)
    table = making.toy().table
    table.loc[5, "file_path"] = "clips/../../outside.mp4"
    table = pd.concat([table, table.tail(1).assign(video_idx="")])  # which nobody can name
    making.write_labels(tmp_path, table, WORDS)
    clips = {name: making.trajectory(12) for name in table["video_idx"][:3]}
    making.write_landmarks(tmp_path, clips, unusable=("001",))
    home = tmp_path / "data/raw/demo/clips"
    home.mkdir(parents=True)
    (home / "000.mp4").write_bytes(b"video")
    (tmp_path / "data/raw/outside.mp4").write_bytes(b"secret")
    (home / "001.mp4").symlink_to(tmp_path / "data/raw/outside.mp4")
    return tmp_path


@pytest.fixture
def page(tmp_path: Path) -> Starlette:
    return server.application(tmp_path, Access(), Limits(), 1)


def asked(app: Starlette, path: str, method: str = "GET", body: Iterable[bytes] = ()) -> Answer:
    return asyncio.run(ask(app, path, method, body=body))


def clips(app: Starlette, query: str = "") -> Any:
    return asked(app, f"/api/corpora/demo/clips{query}").json


def test_clips_are_found_sorted_and_shown_by_pages(project: Path, page: Starlette) -> None:
    assert asked(page, "/api/options").json["corpora"] == ["demo"]
    first = clips(page)
    assert (first["total"], first["pages"], len(first["rows"])) == (60, 2, 50)
    assert first["words"] == list(WORDS)
    assert first["parts"] == ["test", "train", "val"]
    assert len(clips(page, "?page=2")["rows"]) == 10
    assert clips(page, "?page=9")["rows"] == []
    word = WORDS[1]
    assert {row["actual"] for row in clips(page, f"?word={word}")["rows"]} == {word}
    assert {row["split"] for row in clips(page, "?part=val")["rows"]} == {"val"}
    assert [row["video_idx"] for row in clips(page, "?usable=yes")["rows"]] == ["000", "002"]
    assert clips(page, "?search=S3")["rows"][0]["subject"] == "s3"
    assert clips(page, "?search=(")["total"] == 0  # no pattern
    assert clips(page, "?sort=-video_idx")["rows"][0]["video_idx"] == "059"
    assert clips(page, "?search=too+few")["rows"][0]["reason"] == "too few faces"
    for query in ("?sort=votes", "?page=x", "?page=99999999"):
        assert asked(page, f"/api/corpora/demo/clips{query}").status == 400
    assert asked(page, "/api/corpora/nobody/clips").status == 404


def test_only_videos_below_the_corpus_are_shown(project: Path, page: Starlette) -> None:
    rows = {row["video_idx"]: row["has_video"] for row in clips(page)["rows"]}
    assert [name for name, has in rows.items() if has] == ["000"]
    shown = asked(page, "/api/corpora/demo/clips/000/video")
    assert (shown.status, shown.content) == (200, b"video")
    assert shown.headers["content-type"] == "video/mp4"
    for name in ("001", "005", "002", "..", "../../../../outside.mp4", "nobody"):
        refusal = asked(page, f"/api/corpora/demo/clips/{name}/video")
        assert refusal.status == 404, name
        assert b"secret" not in refusal.content
    table = (project / "data/labels/demo.csv").read_text()
    (project / "data/labels/demo.csv").write_text(table.replace("clips/002.mp4", "/etc/passwd"))
    os.utime(project / "data/labels/demo.csv", (1, 1))  # it is read again
    assert asked(page, "/api/corpora/demo/clips/002/video").status == 404
    yaml = YAML(typ="safe", pure=True)
    settings = yaml.load((project / "params.yaml").read_text())
    settings["datasets"]["demo"]["follow_links"] = True
    with (project / "params.yaml").open("w") as file:
        yaml.dump(settings, file)
    assert asked(page, "/api/corpora/demo/clips/001/video").content == b"secret"  # now it may
    assert asked(page, "/api/corpora/demo/clips/005/video").status == 404


def test_a_face_that_was_cut_out_is_shown(project: Path, page: Starlette) -> None:
    assert "crop" in asked(page, "/api/corpora/demo/clips/000/picture").json["sentence"]
    making.write_faces(project, ["000", "002"], without=["002"])
    picture = asked(page, "/api/corpora/demo/clips/000/picture")
    assert len(picture.content) > 100
    assert asked(page, "/api/corpora/demo/clips/002/picture").status == 404


def test_suspects_come_most_doubtful_first(project: Path, page: Starlette) -> None:
    assert asked(page, "/api/corpora/demo/suspects").json["rows"] == []
    (project / "metrics/evaluate").mkdir(parents=True)
    table = pd.DataFrame({
        "video_idx": ["002", "001"], "file_path": "x", "actual": "sad", "suggested": "happy",
        "quality": [0.4, 0.1], "votes": ["", '{"happy": 9}'], "start": [None, 1.5],
    })  # fmt: skip
    table.to_csv(project / "metrics/evaluate/suspects.csv", index=False)
    told = asked(page, "/api/corpora/demo/suspects").json
    assert [row["video_idx"] for row in told["rows"]] == ["001", "002"]
    assert told["rows"][1]["start"] is None
    assert told["words"] == list(WORDS)


def relabel(app: Starlette, **row: object) -> Answer:
    return asked(app, "/api/corpora/demo/relabels", "POST", [json.dumps(row).encode()])


def test_relabels_are_a_table_of_their_own(project: Path, page: Starlette) -> None:
    before = making.contents(project / "data")
    word = WORDS[2]
    assert asked(page, "/api/corpora/demo/relabels").json["rows"] == []
    assert relabel(page, video_idx="002", label=word, note="=1+1\nsmiles").status == 200
    relabel(page, video_idx="001", label="", note="")
    told = relabel(page, video_idx="001", label=word, note="second thoughts").json
    assert told["file"] == "relabels/demo.csv"
    assert (project / told["file"]).read_text() == (
        f"video_idx,label,note\n002,{word},'=1+1 smiles\n001,{word},second thoughts\n"
    )
    assert told["rows"][0]["actual"] == WORDS[2]
    refused: list[tuple[dict[str, Any], int]] = [
        ({"video_idx": "nobody", "label": word}, 404),
        ({"video_idx": "002", "label": "no word"}, 400),
        ({"video_idx": "002", "label": word, "note": "x" * 9000}, 413),
        ({}, 400),
        ({"video_idx": "", "label": word}, 400),
        ({"video_idx": "002", "label": word, "note": ["x"]}, 400),
        ({"video_idx": "002", "label": word, "note": "\ud800"}, 400),
    ]
    for row, status in refused:
        assert relabel(page, **row).status == status, row
    for body in (b"no json", b"[1]", b"[" * 8000):
        refusal = asked(page, "/api/corpora/demo/relabels", "POST", [body])
        assert (refusal.status, len(refusal.json["sentence"]) > 10) == (400, True), body[:9]
    left = asked(page, "/api/corpora/demo/relabels/002", "DELETE").json["rows"]
    assert [row["video_idx"] for row in left] == ["001"]
    assert making.contents(project / "data") == before
    (project / "relabels/demo.csv").write_text("something,else\n1,2\n")
    assert asked(page, "/api/corpora/demo/relabels").status == 500
    assert relabel(page, video_idx="002", label=word).status == 500
    assert (project / "relabels/demo.csv").read_text() == "something,else\n1,2\n"
