"""The page: the results put into its template. Pure; the same contents, the same bytes."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from facewave.params import NETWORKS, Params
from facewave.report import causal, cells, sentences, tables, tasks, teaching
from facewave.report.results import Results

_PER_INCH = 96  # pixels, in CSS


@dataclass(frozen=True)
class Picture:
    """A PNG as the page has it: its data URI, and its size in the page's pixels, 96 an inch."""

    uri: str
    width: int
    height: int


def picture(png: bytes) -> Picture:
    """A PNG as part of a page."""
    with Image.open(io.BytesIO(png)) as image:
        resolution = image.info.get("dpi", (_PER_INCH, _PER_INCH))
        size = (round(_PER_INCH * n / each) for n, each in zip(image.size, resolution, strict=True))
    return Picture(f"data:image/png;base64,{base64.b64encode(png).decode()}", *size)


def render(results: Results, settings: Params, settings_text: str) -> str:
    """The page as HTML, whole in itself; ``settings_text`` is params.yaml with its comments."""
    # A corpus's words, paths and reasons are other people's text: everything is escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, "utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"tables": tables, "sentences": sentences, "kind": tables.kind}
    environment.globals |= {"networks": NETWORKS, "best": cells.best, "counted": cells.counted}
    environment.globals |= {"figure_of": cells.figure, "number": cells.number}
    environment.globals |= {"measures": tasks.MEASURES, "title_of": tasks.title}
    environment.globals |= {"interval": cells.interval, "nominal": tasks.NOMINAL}
    environment.globals |= {"of_teaching": teaching.of_teaching, "of_causal": causal.of_causal}
    environment.globals |= {"target": tasks.target, "listed": tasks.listed}
    report, name = results.report, settings.train.dataset
    about, all_tasks = settings.datasets[name].about, tasks.tasks(report)
    counts = results.study.get("measure", "uar")
    return environment.get_template("page.html.j2").render(
        **vars(results)
        | {"pictures": {key: picture(png) for key, png in results.pictures.items()}},
        name=name,
        about=about,
        banners=sentences.banners(all_tasks[0], about),
        settings=settings,
        features=settings.datasets[name].features,
        settings_text=settings_text,
        tasks=all_tasks,
        first=all_tasks[0],
        kinds={task.kind for task in all_tasks},
        language=report.get("language"),
        counts=counts,
        studied=tables.studied(counts),
        doubts=sentences.doubts(results, about),
    )
