"""The page in a real browser: clips of every kind, and what people do with the answers."""

import csv
import json
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest
from playwright.sync_api import Page, TimeoutError, expect

import splicing
from browser import Server, Visitor, check_accessible, shoot
from facewave.app.notice import NOTICE
from running import run

Visit = Callable[..., Visitor]
GOOD, SILENT, FACELESS = (splicing.DEMO / f"{name}.mp4" for name in ("21", "7", "93"))
MODELS = ("untrained", "split/logistic")
NAMED = ("untrained", "models/trained/split/logistic")  # what --model calls them
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
_SEEN = """canvas => canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.some(value => value)"""
_CAMERA = """tracks = [];
    const asked = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function(wanted) {
        const stream = await asked.call(this, wanted);
        tracks.push(...stream.getTracks());
        return stream;
    };"""  # all that the page has asked for
_TOO_WIDE = """width => [...document.querySelectorAll("body *")].filter(node => {
    const box = node.getBoundingClientRect();
    return box.width && (box.right > width + 1 || box.left < -1) && !node.closest(".scroll")
        && !node.closest(".hidden-text, .skip");
}).map(node => node.outerHTML.slice(0, 120))"""


def send(page: Page, clip: Path, *models: str) -> None:
    """Choose models, and a clip."""
    if models:
        page.get_by_text("more models").click()
        for tick in page.locator("[name=model]:checked").all():
            tick.uncheck()
        for model in models:
            page.locator(f"[name=model][value='{model}']").check()
    page.set_input_files("#clip-file", clip)


def answered(page: Page, clip: Path) -> None:
    """Wait for what is answered to a clip."""
    page.wait_for_selector(".result, .error")
    told = page.locator(".error").all_inner_texts()
    assert not told, told
    expect(page.get_by_role("heading", name=clip.name)).to_be_visible()


def refused(page: Page) -> str:
    """Wait for the sentence that says why there is no answer."""
    return page.get_by_role("alert").inner_text()


def fits(page: Page) -> None:
    """Nothing is wider than the window but what scrolls by itself."""
    assert page.viewport_size is not None
    width = page.viewport_size["width"]  # phones make the window wider where something is
    with suppress(TimeoutError):  # charts are drawn anew a moment after their width has changed
        page.wait_for_function(f"width => !({_TOO_WIDE})(width).length", arg=width, timeout=5000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_TOO_WIDE, width) == []


def shares(page: Page, caption: str) -> dict[str, int]:
    """The words' bars below a caption: percentages."""
    bars = page.locator(".bars").filter(has_text=caption).first
    words, values = (bars.locator(f"li .{part}").all_inner_texts() for part in ("word", "value"))
    told = zip(words, values, strict=True)
    return {word: int(value.removesuffix(" %")) for word, value in told}


@pytest.mark.usefixtures("landmarker", "encoder")
def test_two_models_answer_a_clip(
    server: Server, page_project: Path, visit: Visit, tmp_path: Path
) -> None:
    page = visit(server.origin, accept_downloads=True).open(server.address)
    check_accessible(page)
    shoot(page, "start")
    expect(page.get_by_role("contentinfo")).to_contain_text(NOTICE)
    send(page, GOOD, *MODELS)
    answered(page, GOOD)
    canvas = page.locator("canvas.points")
    page.wait_for_function(f"() => ({_SEEN})(document.querySelector('canvas.points'))")
    page.get_by_label("Show the points").uncheck()
    assert not canvas.evaluate(_SEEN)
    page.get_by_label("Show the points").check()
    whole = shares(page, "The whole clip")
    assert 97 <= sum(whole.values()) <= 103  # each is rounded
    assert shares(page, "At this moment") == whole  # the clip is shorter than a window
    expect(page.locator(".models.two")).to_be_visible()
    shoot(page, "two-models")
    check_accessible(page)

    files = {}
    for name in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"({name})").click()
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    rows = list(csv.DictReader(files["CSV"].read_text("utf-8").splitlines()))
    records = json.loads(files["JSON"].read_text("utf-8"))
    of_whole = [row for row in rows if not row["start"]]
    assert [row["model"] for row in of_whole] == [one["model"]["line"] for one in records]
    for name, row, record in zip(NAMED, of_whole, records, strict=True):
        printed = tmp_path / "predicted.json"
        command = ("facewave", "predict", str(GOOD), "--model", name, "--out", str(printed))
        run(page_project, *command, env={"FACEWAVE_CACHE": str(tmp_path / "cache")})
        (predicted,) = json.loads(printed.read_text("utf-8"))
        (whole,) = record["whole"]
        columns = [name for name in predicted if name.startswith("p")]
        assert len(columns) >= 8
        assert row["predicted"] == whole["predicted"] == predicted["predicted"]
        for column in set(columns) - {"predicted"}:
            told = float(row[column]), whole[column]
            assert told == pytest.approx([predicted[column]] * 2, abs=2e-4), column

    page.emulate_media(color_scheme="dark")
    check_accessible(page)
    shoot(page, "two-models-dark")
    page.set_viewport_size({"width": 360, "height": 740})
    fits(page)
    shoot(page, "two-models-narrow")


def test_every_control_can_be_reached_on_a_phone(server: Server, visit: Visit) -> None:
    page = visit(server.origin, **PHONE).open(server.address)
    page.wait_for_selector("#use-camera")
    for tab in ("Clip", "Report", "Corpus"):
        page.get_by_role("tab", name=tab).tap()
        page.wait_for_load_state("networkidle")
        fits(page)
        check_accessible(page)
        for control in page.locator("button, select, a, [type=checkbox], [type=radio]").all():
            if control.is_visible() and not control.evaluate(
                "node => node.closest('.skip, .scroll')"
            ):
                control.scroll_into_view_if_needed()
                box = control.bounding_box()
                assert box is not None
                assert box["width"] >= 12
                assert box["height"] >= 12
        shoot(page, f"phone-{tab.lower()}")


def test_colours_follow_the_system(server: Server, visit: Visit) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(server.origin, color_scheme=scheme).open(server.address)
        page.wait_for_selector("#use-camera")
        check_accessible(page)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        shoot(page, f"start-{scheme}")
    assert shades["dark"] < 300 < 600 < shades["light"]


@pytest.mark.usefixtures("landmarker", "encoder")
def test_a_clip_without_sound_is_answered_and_one_without_a_face_gets_a_sentence(
    server: Server, visit: Visit
) -> None:
    page = visit(server.origin).open(server.address)
    send(page, SILENT)
    answered(page, SILENT)
    page.get_by_role("button", name="another clip").click()
    send(page, FACELESS)
    answered(page, FACELESS)
    expect(page.locator(".callout").first).to_contain_text("No face was found")
    check_accessible(page)
    shoot(page, "no-face")


def test_what_is_no_clip_gets_a_sentence(server: Server, visit: Visit, tmp_path: Path) -> None:
    page = visit(server.origin).open(server.address)
    text, empty, note, large = (
        tmp_path / name for name in ("text.mp4", "empty.mp4", "note.txt", "large.mp4")
    )
    text.write_text("This is no video.\n" * 100)
    empty.touch()
    note.write_text("This is no video.")
    with large.open("wb") as file:
        file.truncate(300 << 20)
    stored = [*server.home.rglob("clip*")]
    for clip in (empty, note, large):  # which are not even sent
        send(page, clip)
        assert clip.name in refused(page)
        check_accessible(page)
        shoot(page, f"refused-{clip.stem}")
        assert [*server.home.rglob("clip*")] == stored
        page.reload()
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        send(page, text)
    sentence = refused(page)
    assert text.name in sentence
    assert "/" not in sentence.replace(text.name, "")  # no folder of the server's
    assert [*server.home.rglob("clip*")] == stored
    check_accessible(page)
    shoot(page, "refused-text")


@pytest.mark.usefixtures("landmarker", "encoder")
def test_people_see_their_own_clips_alone(server: Server, visit: Visit) -> None:
    clips = (splicing.DEMO / "22.mp4", splicing.DEMO / "24.mp4")
    pages, numbers = [], []
    for clip in clips:
        page = visit(server.origin).open(server.address)
        with page.expect_response("**/api/jobs") as response:
            send(page, clip)
        numbers.append(response.value.json()["id"])
        pages.append(page)
    for page, clip in zip(pages, clips, strict=True):
        answered(page, clip)
    for page, mine, other in zip(pages, numbers, numbers[::-1], strict=True):
        for part in ("", "/result", "/events", "/files/clip", "/files/answers.json"):
            statuses = [
                page.request.get(f"{server.origin}/api/jobs/{number}{part}").status
                for number in (mine, other)
            ]
            assert statuses == [200, 404], part
        gone = page.request.delete(
            f"{server.origin}/api/jobs/{other}", headers={"Origin": server.origin}
        )
        assert gone.status == 404


@pytest.mark.usefixtures("landmarker", "encoder")
def test_the_keyboard_is_enough(server: Server, visit: Visit) -> None:
    page = visit(server.origin).open(server.address)
    page.on("filechooser", lambda _: None)  # from now on none is opened for real
    page.wait_for_selector("#use-camera")

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(node => node.ariaLabel || node.innerText)(document.activeElement)"
            )
            if focused.strip() == name:
                ring = page.evaluate(
                    "(s => s.outlineStyle + s.boxShadow)(getComputedStyle(document.activeElement))"
                )
                assert ring != "nonenone", f"no ring around {name}"
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("Skip to the content")
    page.keyboard.press("Enter")
    tab_to("Choose a clip")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(GOOD)
    answered(page, GOOD)
    tab_to("Moment in the timeline")
    before = page.locator("video").first.evaluate("video => video.currentTime")
    page.keyboard.press("End")
    page.wait_for_function(f"() => document.querySelector('video').currentTime > {before} + 0.5")
    page.reload()  # the clip that was looked at is there again
    answered(page, GOOD)
    page.locator("[role=tab][aria-selected=true]").focus()
    for name in ("Report", "Corpus", "Clip"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    tab_to("Done: another clip")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Choose a clip")).to_be_focused()


def test_the_camera_is_off_once_it_is_left(server: Server, visit: Visit) -> None:
    visitor = visit(server.origin, permissions=["camera"])
    visitor.context.add_init_script(f"if (window.MediaDevices) {{ {_CAMERA} }}")
    page = visitor.open(server.address)

    def film(count: int) -> None:
        page.get_by_role("button", name="Use the camera").click()
        page.wait_for_function(f"() => tracks.length === {count}")
        expect(page.get_by_role("button", name="Record")).to_be_visible()

    def is_off() -> bool:
        return bool(page.evaluate("tracks.every(track => track.readyState === 'ended')"))

    film(1)
    film(2)
    assert page.evaluate("tracks.map(track => track.readyState)") == ["ended", "live"]
    page.get_by_role("button", name="Record").click()
    page.get_by_role("tab", name="Report").click()
    assert is_off()
    page.get_by_role("tab", name="Clip").click()
    film(3)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert is_off()
    film(4)
    page.get_by_role("button", name="Close the camera").click()
    assert is_off()
    film(5)
    page.route("**/api/jobs", lambda _: None)  # it is being sent for ever
    page.set_input_files("#clip-file", GOOD)
    page.wait_for_selector("progress")
    assert is_off()


def without_pictures(path: Path, clip: Path) -> Path:
    """A clip whose sound browsers play, but whose pictures they cannot show."""
    with av.open(clip) as source, av.open(path, "w") as film:
        heard, seen = source.streams.audio[0], source.streams.video[0]
        pictures = film.add_stream("mpeg4", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = seen.width, seen.height, "yuv420p"
        sound = film.add_stream_from_template(heard)
        for number, frame in enumerate(source.decode(seen)):
            picture = frame.reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode())
        source.seek(0)
        for packet in source.demux(heard):
            if packet.dts is not None:
                packet.stream = sound
                film.mux(packet)
    return path


@pytest.mark.usefixtures("landmarker", "encoder")
def test_a_drawn_copy_stands_for_what_the_browser_cannot_show(
    server: Server, visit: Visit, tmp_path: Path
) -> None:
    page = visit(server.origin).open(server.address)
    clip = without_pictures(tmp_path / "phone.mov", GOOD)
    send(page, clip)
    answered(page, clip)
    page.wait_for_function("() => document.querySelector('video').videoWidth > 0")
    assert page.evaluate("document.querySelector('video').src").endswith("/seen.mp4")
    expect(page.get_by_text("this is a drawn copy")).to_be_visible()
    shoot(page, "drawn-copy")


def test_a_file_dropped_beside_the_box_is_taken(server: Server, visit: Visit) -> None:
    page = visit(server.origin).open(server.address)
    page.wait_for_selector("#use-camera")
    dropped = """() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["no video"], "note.txt"));
        const event = new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true});
        return document.querySelector("footer").dispatchEvent(event);
    }"""
    assert not page.evaluate(dropped)  # so that the browser does not open it
    assert "note.txt" in refused(page)
    page.get_by_role("tab", name="Report").click()
    assert not page.evaluate(dropped)


def test_a_server_that_is_gone_is_told_of(server: Server, visit: Visit) -> None:
    visitor = visit(server.origin)
    page = visitor.open(server.address)
    page.wait_for_selector("#use-camera")
    visitor.context.set_offline(True)
    send(page, GOOD)
    assert "does not answer" in refused(page)
    assert all("ERR_INTERNET_DISCONNECTED" in problem for problem in visitor.problems)
    visitor.problems.clear()
