"""The page: what was found, put into its template. Pure; the same contents, the same bytes."""

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from facewave.params import Params
from facewave.report import cells, sentences, tables
from facewave.report.found import Found


@dataclass(frozen=True)
class Picture:
    """A PNG as the page has it: its data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def picture(png: bytes) -> Picture:
    """A PNG as part of a page; its size stands in its header (RFC 2083, 11.2.2)."""
    width, height = struct.unpack(">II", png[16:24])
    return Picture(f"data:image/png;base64,{base64.b64encode(png).decode()}", width, height)


def render(found: Found, settings: Params, settings_text: str) -> str:
    """The page as HTML, whole in itself.

    Args:
        found: what the stages left.
        settings: params.yaml.
        settings_text: the same as it is written, with its comments.
    """
    name = settings.train.dataset
    about = settings.datasets[name].about
    main = found.report[sentences.protocol(found.report)]
    split = found.report.get("split") if "folds" in found.report else None
    # A corpus's words, paths and reasons are other people's text: all of it is escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, "utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"counted": cells.counted, "number": cells.number, "kind": tables.kind}
    targets = found.report.get("targets", [])
    template = "regression.html.j2" if targets else "recognition.html.j2"
    return environment.get_template(template).render(
        name=name,
        about=about,
        synthetic=sentences.synthetic(about),
        settings=settings,
        settings_text=settings_text,
        targets=targets,
        words=found.report.get("classes", []),
        language=found.report.get("language"),
        clean=found.clean,
        extract=found.extract,
        wavelet=found.wavelet,
        study=found.study,
        main=main,
        split=split,
        over_folds="folds" in found.report,
        headline=sentences.headline(main, targets),
        baseline="" if targets else sentences.baseline(main),
        doubts=sentences.doubts(found, about),
        records=found.records,
        sentences=sentences,
        tables=tables,
        pictures={key: picture(png) for key, png in found.pictures.items()},
    )
