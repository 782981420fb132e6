"""A timeline for annotators: tiers of ELAN (.eaf), and a project of BORIS (.boris).

ELAN's format is EAF 3.0 (Max Planck Institute for Psycholinguistics, "ELAN Annotation Format",
2017). Of BORIS (Friard and Gamba, Methods in Ecology and Evolution 7, 2016) it is the project, JSON
of format 7.0, which it opens as it is; it imports events of tables only as spreadsheets, into an
observation that somebody has made. Both find the video by its path from the file. Dates would make
each run's bytes differ, so both have the same one.
"""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from facewave.app import answers
from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import gaps, people, spoken, stretches
from facewave.files import replacing, write_json

_DATE = "2000-01-01T00:00:00"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_AWAY, _CUT = "out of sight", "cut"
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MIME = {".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"}


def write_eaf(timeline: Timeline, path: Path) -> None:
    """Write a .eaf file for ELAN: a tier of shots; words, their scores and gaps of each person.

    A score depends on its word (symbolic association). Times are whole milliseconds.
    """
    root = eaf(timeline, _media(timeline, path))
    ET.indent(root)
    with replacing(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)


def write_boris(timeline: Timeline, path: Path) -> None:
    """Write a .boris file: states of each person, words with scores as comments; cuts as points."""
    write_json(path, boris(timeline, _media(timeline, path)))


def _media(timeline: Timeline, path: Path) -> str:
    return Path(os.path.relpath(timeline.recording.path, path.parent)).as_posix()


def eaf(timeline: Timeline, media: str) -> ET.Element:
    """The document, of a video at ``media``."""
    recording, said = timeline.recording, stretches(timeline)
    said = said[said["word"] != ""]
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": "facewave", "DATE": f"{_DATE}+00:00", "FORMAT": "3.0", "VERSION": "3.0",
         f"{{{_XSI}}}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"},
    )  # fmt: skip
    ET.register_namespace("xsi", _XSI)
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    mime = _MIME.get(recording.path.suffix.lower(), "video/*")
    ET.SubElement(
        header,
        "MEDIA_DESCRIPTOR",
        MEDIA_URL=_xml(media),
        MIME_TYPE=mime,
        RELATIVE_MEDIA_URL=_xml(media),
    )
    ET.SubElement(header, "PROPERTY", NAME="model").text = _xml(timeline.model)
    order = ET.SubElement(root, "TIME_ORDER")
    slots: list[tuple[int, str]] = []
    count = 0

    def tier(name: str, kind: str, more: Mapping[str, str]) -> ET.Element:
        return ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": kind, "TIER_ID": name, **more})

    def annotation(of: ET.Element, value: str, where: Mapping[str, str]) -> str:
        nonlocal count
        count += 1
        kind = "REF_ANNOTATION" if "ANNOTATION_REF" in where else "ALIGNABLE_ANNOTATION"
        within = ET.SubElement(of, "ANNOTATION")
        one = ET.SubElement(within, kind, {"ANNOTATION_ID": f"a{count}", **where})
        ET.SubElement(one, "ANNOTATION_VALUE").text = _xml(value)
        return f"a{count}"

    def span(of: ET.Element, start: float, end: float, value: str) -> str:
        first, last = round(1000 * start), round(1000 * end)
        if last <= first:
            return ""
        ids = [f"ts{len(slots) + 1}", f"ts{len(slots) + 2}"]
        slots.extend(zip((first, last), ids, strict=True))
        return annotation(of, value, {"TIME_SLOT_REF1": ids[0], "TIME_SLOT_REF2": ids[1]})

    shots = tier("shots", "shot", {})
    for row in recording.shots.itertuples():
        span(shots, row.start, row.end, f"shot {row.shot}")
    for person in people(timeline):
        who = f"person {person}"
        word = tier(f"{who} word", "word", {"PARTICIPANT": who})
        score = tier(f"{who} score", "score", {"PARENT_REF": f"{who} word", "PARTICIPANT": who})
        for row in said[said["person"] == person].itertuples():
            above = span(word, row.start, row.end, row.word)
            if above and not math.isnan(row.score):
                annotation(score, f"{row.score:.2f}", {"ANNOTATION_REF": above})
        away = tier(f"{who} gaps", "gap", {"PARTICIPANT": who})
        for start, end in gaps(recording, person):
            span(away, start, end, _AWAY)
    for ms, name in sorted(slots, key=lambda slot: (slot[0], int(slot[1][2:]))):
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=str(ms))
    aligned = {"GRAPHIC_REFERENCES": "false", "TIME_ALIGNABLE": "true"}
    for kind in ("shot", "word", "gap"):
        ET.SubElement(root, "LINGUISTIC_TYPE", aligned, LINGUISTIC_TYPE_ID=kind)
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        CONSTRAINTS="Symbolic_Association",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="score",
        TIME_ALIGNABLE="false",
    )
    ET.SubElement(
        root,
        "CONSTRAINT",
        DESCRIPTION="1-1 association with a parent annotation",
        STEREOTYPE="Symbolic_Association",
    )
    return root


def _xml(text: str) -> str:
    """A text without the characters that XML cannot have."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def boris(timeline: Timeline, media: str) -> dict[str, Any]:
    """The project, of a video at ``media``."""
    recording, said = timeline.recording, stretches(timeline)
    said = said[said["word"] != ""]
    subjects = {person: f"person {person}" for person in people(timeline)}
    events: list[tuple[float, int, str, str, str]] = []  # an end before a beginning at one moment

    def state(who: str, start: float, end: float, code: str, comment: str) -> None:
        first, last = round(start, 3), round(end, 3)
        if last > first:
            events.extend([(first, 1, who, code, comment), (last, 0, who, code, "")])

    for row in said.itertuples():
        comment = spoken(row.word, row.score)
        state(subjects[row.person], row.start, row.end, row.word, comment)
    for person, who in subjects.items():
        for start, end in gaps(recording, person):
            state(who, start, end, _AWAY, "")
    events += [(round(time, 3), 1, "", _CUT, "") for time in recording.shots["start"].iloc[1:]]
    main = answers.first(timeline)
    words = list(main.names if main else dict.fromkeys(said["word"]))
    states = [*words, *([] if _AWAY in words else [_AWAY])]
    name = recording.path.stem.strip() or "recording"
    return {
        "time_format": "s",
        "project_date": _DATE,
        "project_name": name,
        "project_description": f"facewave: {timeline.model}",
        "project_format_version": "7.0",
        "subjects_conf": {
            str(at): {"key": "", "name": who, "description": ""}
            for at, who in enumerate(subjects.values())
        },
        "behaviors_conf": {
            str(at): {
                "type": "Point event" if code == _CUT else "State event",
                **{"key": "", "code": code, "description": "", "color": "", "category": ""},
                **{"modifiers": {}, "excluded": "", "coding map": ""},
            }
            for at, code in enumerate([*states, _CUT])
        },
        "observations": {
            name: {
                "file": {str(player): [media] * (player == 1) for player in range(1, 9)},
                **{"type": "MEDIA", "date": f"{_DATE}.000", "description": ""},
                **{"time offset": 0.0, "independent_variables": {}},
                "observation time interval": [0, 0],
                "events": [
                    [time, who, code, "", comment, "NA"]
                    for time, _, who, code, comment in sorted(events)
                ],
                "media_info": {
                    "length": {media: round(recording.duration, 3)},
                    "fps": {media: recording.facts.fps},
                    "hasVideo": {media: True},
                    "hasAudio": {media: False},
                    "offset": {"1": 0.0},
                },
            }
        },
        **{"behavioral_categories": [], "independent_variables": {}, "coding_map": {}},
        **{"behaviors_coding_map": [], "converters": {}},
    }
