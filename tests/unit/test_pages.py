"""What is written for people holds: links lead somewhere, options exist, versions agree."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import facewave

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/raw/demo/README.md"])
HISTORY = {"CHANGELOG.md", "log.md"}  # these also name options of the past
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_option(path: str) -> bool:
    value: Any = PARAMS
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", prose(page)):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in HISTORY], ids=lambda page: page.name
)
def test_options_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"-S [\"']?([\w.]+)=", text)
    named += re.findall(r"`((?:labels|landmarks|wavelets|train|evaluate|study)\.[a-z_.]+)\b", text)
    options = [name for name in named if not re.search(r"\.(n?py|schema)\b", name)]
    assert [name for name in options if not is_option(name)] == []


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_versions_agree() -> None:
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["version"] == facewave.__version__
    assert f"## [{facewave.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
