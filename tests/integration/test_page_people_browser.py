"""The page in a real browser with clips that nobody has seen before: several people, the camera."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

import splicing
from browser import Server, Visitor, check_accessible, family, running, shoot

Visit = Callable[..., Visitor]
_SEEN = """left => {
    const canvas = document.querySelector("canvas.points");
    const [width, height] = [canvas.width / 2, canvas.height];
    const half = canvas.getContext("2d").getImageData(2 * left * width, 0, width, height);
    return half.data.some(value => value);
}"""
pytestmark = pytest.mark.usefixtures("landmarker", "encoder")


def test_everybody_in_a_clip_is_answered(server: Server, visit: Visit, tmp_path: Path) -> None:
    one, other = splicing.pictures("2", 3.0), splicing.pictures("21", 3.0)
    clip = splicing.write(tmp_path / "two.mp4", splicing.side_by_side(one, other))
    page = visit(server.origin).open(server.address)
    page.set_input_files("#clip-file", clip)
    page.wait_for_selector(".result")
    people = page.locator("label.person")
    expect(people).to_have_count(2)
    people.nth(1).click()
    expect(page.get_by_role("heading", name="Person 1: what is answered")).to_be_visible()
    for left in (0, 0.5):  # points on either half
        page.wait_for_function(_SEEN, arg=left)
    check_accessible(page)
    shoot(page, "two-people")


def test_the_timeline_shows_who_is_there_and_when(
    server: Server, visit: Visit, tmp_path: Path
) -> None:
    """One person for 6 s, nobody for 3 s, and another for 6 s."""
    parts = splicing.pictures("2", 6.0), splicing.pictures("93", 3.0), splicing.pictures("21", 6.0)
    clip = splicing.write(tmp_path / "in-turn.mp4", [picture for part in parts for picture in part])
    page = visit(server.origin).open(server.address)
    with page.expect_response("**/result") as response:
        page.set_input_files("#clip-file", clip)
    found = response.value.json()
    starts = [start for start, _ in found["shots"]]
    assert starts == pytest.approx([0, 6, 9], abs=0.2)
    seen = sorted(span for person in found["people"] for span in person["spans"])
    assert [span for pair in seen for span in pair] == pytest.approx([0, 6, 9, 15], abs=0.4)
    timeline = page.get_by_role("img", name="Timeline of 15.0 s")
    expect(timeline.locator(".shot")).to_have_count(2)
    # A band where somebody is in sight, hatched where nobody is.
    bands = timeline.locator("rect.edge").evaluate_all(
        """bands => bands.map(band => [band.x, band.width].map(length => length.baseVal.value))"""
    )
    scale = 15 / timeline.evaluate("picture => picture.clientWidth")
    in_sight = [(scale * left, scale * (left + width)) for left, width in bands]
    for time, is_seen in ((1, True), (5.5, True), (6.6, False), (8.4, False), (9.5, True)):
        assert any(start <= time <= end for start, end in in_sight) == is_seen, time
    page.get_by_role("slider", name="Moment in the timeline").focus()
    page.keyboard.press("End")
    page.wait_for_function("() => document.querySelector('video').currentTime > 14")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_text("All windows, as a table").click()
    expect(page.get_by_role("region", name="All windows")).to_be_visible()
    check_accessible(page)
    shoot(page, "timeline")


def test_a_cancelled_clip_leaves_nothing(server: Server, visit: Visit, tmp_path: Path) -> None:
    clip = splicing.write(tmp_path / "long.mp4", splicing.pictures("21", 40.0))
    page = visit(server.origin).open(server.address)
    with page.expect_response("**/api/jobs") as response:
        page.set_input_files("#clip-file", clip)
    number = response.value.json()["id"]
    page.wait_for_function("() => document.querySelector('progress')?.value > 0.1")
    assert [*server.home.rglob(number)]
    at_work = set(family(server.process.pid))
    shoot(page, "at-work")
    check_accessible(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_have_text("Cancelled.")
    assert len(running(at_work)) == len(at_work) - 1  # the spare process waits on
    assert [*server.home.rglob(number)] == []


def test_a_take_of_the_camera_is_answered(server: Server, visit: Visit) -> None:
    page = visit(server.origin, permissions=["camera"]).open(server.address)
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Record")).to_be_visible()
    page.get_by_label("Seconds").fill("2")
    check_accessible(page)
    shoot(page, "camera")
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Use this take").click()
    page.wait_for_selector(".result")
    expect(page.get_by_role("heading", name="camera.webm")).to_be_visible()
    expect(page.locator("label.person")).to_have_count(1)
    shoot(page, "camera-answered")
    visitor_numbers = page.evaluate("sessionStorage.getItem('facewave-job')")
    assert json.loads(visitor_numbers)["name"] == "camera.webm"
