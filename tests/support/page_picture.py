"""Take docs/page.png: the page with a film of one person of the demo, whose clips are CC0.

Start ``facewave app --no-browser``, then, in another terminal,
``python tests/support/page_picture.py http://127.0.0.1:8421/``.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import splicing
from browser import launch
from running import ROOT

CLIPS = ("3", "78", "12", "53", "1", "48")  # of person s04: neutral, happy, surprise, sad, ...
SECONDS = 3.0  # of each
MOMENT = 0.36  # of the film
WIDTH, HEIGHT = 1280, 1590


def main(address: str, out: Path) -> None:
    """Send the film, look at a moment of it, and take the picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        film = [picture for clip in CLIPS for picture in splicing.pictures(clip, SECONDS)]
        clip = splicing.write(Path(folder) / "demo.mp4", film)
        browser = launch(playwright, splicing.camera(Path(folder) / "camera.mjpeg"))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(address)
        page.set_input_files("#clip-file", clip)
        page.locator(".result").wait_for(timeout=300_000)
        page.wait_for_function("document.querySelector('video').readyState === 4")
        slider = page.get_by_role("slider").first
        box = slider.bounding_box()
        if box is None:
            raise SystemExit("the bands over time are not to be seen")
        slider.hover(position={"x": MOMENT * box["width"], "y": 30})
        page.wait_for_timeout(1500)
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    few = picture.convert("RGB").quantize(
        method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.save(out, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], ROOT / "docs/page.png")
