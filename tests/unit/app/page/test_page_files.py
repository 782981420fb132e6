import re
import tomllib
from pathlib import Path

import facewave.app.page
from facewave.app.timeline.overlay import color

ROOT = Path(__file__).parents[4]
STATIC = Path(facewave.app.page.__file__).parent / "static"
FILES = sorted(STATIC.iterdir())
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, asked for by nobody
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\(|new Function"
    r"|setAttribute\(\"style\"|cssText"
)


def test_every_file_of_the_page_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["facewave"]
    package = ROOT / "src" / "facewave"
    packaged = {path for pattern in patterns for path in package.glob(pattern)}
    assert {"index.html", "page.css", "main.js", "icon.svg"} <= {path.name for path in FILES}
    assert set(FILES) <= packaged


def test_nothing_is_asked_of_another_server() -> None:
    for path in FILES:
        text = path.read_text("utf-8").replace(NAMESPACE, "")
        assert not re.search(r"\b(https?|wss?):/?/|[\"'(]//|@import|data:", text), path.name


def test_nothing_is_inline_and_no_text_becomes_markup() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"\s(on[a-z]+|style)\s*=|<style", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]
    for path in STATIC.glob("*.js"):
        assert not UNSAFE.search(path.read_text("utf-8")), path.name


def test_every_module_says_what_it_is_and_finds_what_it_imports() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text("utf-8")
        assert text.startswith("// "), path.name
        assert text.count("\n") < 350, path.name
        for name, module in re.findall(r"^import (.+) from \"\./(.+)\";$", text, re.MULTILINE):
            source = (STATIC / module).read_text("utf-8")
            for imported in re.findall(r"\w+", name.partition("{")[2]):
                exported = rf"^export (async )?(function|const|class) {imported}\b"
                assert re.search(exported, source, re.MULTILINE), (path.name, imported)


def test_every_file_that_the_page_names_is_there() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    named = re.findall(r"(?:src|href)=\"/static/([^\"]+)\"", page)
    assert len(named) == 3
    assert set(named) <= {path.name for path in FILES}


def test_every_colour_that_is_used_is_set() -> None:
    style = (STATIC / "page.css").read_text("utf-8")
    texts = [path.read_text("utf-8") for path in FILES if path.suffix in (".css", ".js")]
    used = {name for text in texts for name in re.findall(r"var\((--[a-z0-9-]+)\)", text)}
    unset = {name for name in used if f"{name}:" not in style}
    assert unset == {"--ratio"}  # set by player.js


def test_people_have_the_colours_of_the_drawn_video() -> None:
    style = (STATIC / "page.css").read_text("utf-8")
    for person in range(10):
        red, green, blue = color(person)
        assert f"--person-{person}: #{red:02x}{green:02x}{blue:02x};" in style
