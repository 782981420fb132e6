"""The page's report and corpus in a real browser: what people relabel never changes the corpus."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser import Server, Visitor, check_accessible, serving, shoot
from making import contents

Visit = Callable[..., Visitor]
SUSPECTS = """\
video_idx,file_path,actual,suggested,quality,p_label,p_suggested,votes,table,row,start,end
5,clips/5.mp4,disgust,surprise,0.03,0.01,0.94,"{""disgust"": 9, ""angry"": 1}",annotation.csv,6,,
57,clips/57.mp4,sad,surprise,0.06,0.01,0.88,"{""sad"": 9, ""neutral"": 1}",annotation.csv,59,,
"""


def read(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def page_project(page_project: Path) -> Path:
    """The project, with two labels that models doubt."""
    (page_project / "metrics/evaluate/suspects.csv").write_text(SUSPECTS, "utf-8")
    return page_project


def test_the_report_is_shown(server: Server, visit: Visit) -> None:
    page = visit(server.origin).open(f"{server.address}#report")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("synthetic").first).to_be_visible()
    broken = "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert page.frames[1].evaluate(broken) == []
    check_accessible(page)
    shoot(page, "report")


def test_clips_are_found_and_watched(server: Server, visit: Visit) -> None:
    page = visit(server.origin).open(f"{server.address}#corpus")
    table = page.locator("table.clips")
    expect(table.locator("caption")).to_contain_text("clips")
    check_accessible(page)
    shoot(page, "corpus")
    page.get_by_label("Label").select_option("happy")
    expect(table.locator("tbody tr").first).to_contain_text("happy")
    assert all("happy" in row for row in table.locator("tbody tr").all_inner_texts())
    page.get_by_label("Label").select_option("")
    page.get_by_label("Search").fill("clips/93.mp4")
    expect(table.locator("caption")).to_have_text("1 clip")
    page.get_by_role("button", name="Watch clips/93.mp4").click()
    page.wait_for_function("() => document.querySelector('.watch video').videoWidth === 224")
    check_accessible(page)
    shoot(page, "corpus-watch")


def test_a_relabel_stands_beside_the_corpus(
    server: Server, page_project: Path, visit: Visit
) -> None:
    corpus, labels = page_project / "data/raw/demo", page_project / "data/labels"
    before = contents(corpus), contents(labels)
    relabels = page_project / "relabels/demo.csv"
    page = visit(server.origin).open(f"{server.address}#corpus")
    page.get_by_role("button", name="Suspects").click()
    expect(page.get_by_role("heading", name="1 of 2: clips/5.mp4")).to_be_visible()
    check_accessible(page)
    shoot(page, "suspects")
    page.locator("#suspect-note").fill("=1+1, the mouth")
    page.get_by_role("button", name="surprise").click()
    expect(page.get_by_role("heading", name="2 of 2: clips/57.mp4")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("status").filter(has_text="kept as sad")).to_be_visible()
    rows = {row["video_idx"]: row for row in read(relabels)}
    assert {name: row["label"] for name, row in rows.items()} == {"5": "surprise", "57": "sad"}
    assert rows["5"]["note"] == "'=1+1, the mouth"  # no formula
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#suspect-note")).to_have_value("=1+1, the mouth")
    page.keyboard.press("N")
    page.keyboard.press("Enter")
    page.keyboard.press("0")
    expect(page.get_by_role("status").filter(has_text="left out")).to_be_visible()
    rows = {row["video_idx"]: row for row in read(relabels)}
    assert (rows["5"]["label"], rows["5"]["note"]) == ("", "'=1+1, the mouth")
    page.get_by_role("button", name="Relabels").click()
    check_accessible(page)
    shoot(page, "relabels")
    page.get_by_role("button", name="Take back clip 5", exact=True).click()
    expect(page.get_by_role("button", name="Take back clip 5", exact=True)).to_be_hidden()
    assert [row["video_idx"] for row in read(relabels)] == ["57"]
    assert (contents(corpus), contents(labels)) == before


def test_a_server_for_others_wants_its_token(
    page_project: Path, visit: Visit, tmp_path: Path
) -> None:
    name = ("--name", "faces.lab.example")
    with serving(page_project, tmp_path, "--host", "127.0.0.1", *name) as server:
        assert "?token=" in server.address
        stranger = visit(server.origin, storage_state=None)
        stranger.refused = {403}
        page = stranger.context.new_page()
        for path in ("/", "/api/options", "/report", "/static/main.js", "/?token=x"):
            answer = page.goto(f"{server.origin}{path}")
            assert answer is not None
            assert answer.status == 403, path
        page = visit(server.origin).open(server.address)
        page.wait_for_selector("#use-camera")
        assert "token" not in page.url
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert page.reload() is not None
        page.goto(server.origin)  # the cookie is enough
        page.wait_for_selector("#use-camera")
