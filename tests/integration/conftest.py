"""What tests of the page need: a project that has everything, a server in it, and a browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

import splicing
from browser import Server, Visitor, launch, serving, visiting


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser with a pretended camera."""
    camera = splicing.camera(tmp_path_factory.mktemp("camera") / "camera.mjpeg")
    with sync_playwright() as playwright, launch(playwright, camera) as browser:
        yield browser


@pytest.fixture(scope="module")
def page_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reproduced project for a server: corpus, models, metrics."""
    folder = tmp_path_factory.mktemp("page") / "project"
    for name in ("data", "metrics", "models"):
        shutil.copytree(project / name, folder / name, symlinks=True)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(project / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def server(page_project: Path) -> Iterator[Server]:
    """``facewave app`` in the project."""
    with serving(page_project, page_project.parent / "home") as started:
        yield started


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Visitors of a server, each with a browser of their own: ``visit(origin, **options)``."""
    with ExitStack() as visitors:

        def visit(origin: str, **options: Any) -> Visitor:
            return visitors.enter_context(visiting(chromium, origin, **options))

        yield visit
