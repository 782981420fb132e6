"""The models that the page offers, by ids of ours: nobody can name a folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facewave import params
from facewave.errors import UserError
from facewave.params import SOUNDS

if TYPE_CHECKING:
    from facewave.training.schema import Trained

UNTRAINED, DEMO = "untrained", "demo"
_ALONE = {"untrained/fer": "pretrained", "untrained/rules": "knowledge"}  # id -> member
_ROOT = Path("models/trained")
# A language model takes more time and memory than a job has, and a served one is somebody else's.
_ELSEWHERE = ("language_model", "served")


@dataclass(frozen=True)
class Offered:
    """A model that the page offers.

    Attributes:
        id: what the page calls it.
        label: what people call it.
        line: what it learnt from, and how well it did.
        inputs: what it takes.
        synthetic: whether it learnt from synthetic clips.
        default: whether it is chosen unless somebody chooses another.
    """

    id: str
    label: str
    line: str
    inputs: tuple[str, ...]
    synthetic: bool = False
    default: bool = False


def models() -> list[Offered]:
    """All models that can answer a person's own clip here, as they are on the disk now."""
    return [
        Offered(
            UNTRAINED,
            "Without training",
            "the encoder fer and rules on facial actions, as one; nothing was learnt here",
            ("faces", "blendshapes"),
            default=True,
        ),
        Offered("untrained/fer", "The encoder fer alone", "learnt from FER2013", ("faces",)),
        Offered(
            "untrained/rules",
            "Rules alone",
            "published rules on facial actions; nothing was learnt",
            ("blendshapes",),
        ),
        *_demo(),
        *_trained(),
    ]


def choose(name: str) -> "Trained":
    """The model with this id.

    Raises:
        UserError: there is none, or it is damaged.
    """
    from facewave.app import models as known

    if name in _ALONE:
        whole: Any = known.untrained()
        member: Trained = whole.members[_ALONE[name]]
        return member
    if name in (UNTRAINED, DEMO):
        return known.choose(name)
    if name not in {model.id for model in _trained()}:
        raise UserError(f"There is no model {name!r} any more. Load the page again.")
    return known.choose(str(_ROOT / name))


def _demo() -> list[Offered]:
    """The project's model of the demo, if that is what is trained."""
    first = params.load().train.partitions[0] if params.PARAMS_FILE.exists() else ""
    about = _config(_ROOT / str(first) / "model").get("about", {})
    if not first or about.get("dataset") != DEMO:
        return []
    return [
        Offered(DEMO, "The demo's model", "learnt from the demo's synthetic clips", (), True),
    ]


def _trained() -> list[Offered]:
    """The folders in models/trained that can answer clips of one's own."""
    offers = []
    for path in sorted(_ROOT.glob("*/*/config.json")):
        config = _config(path.parent)
        if _can_answer(config):
            offers.append(_offered(path.parent, config))
    return offers


def _can_answer(config: Mapping[str, Any]) -> bool:
    """Whether what a model takes is seen or heard here."""
    from facewave.wavelets.schema import SEEN, shapes

    inputs, known = config.get("inputs", []), {*shapes("merged"), *SEEN, *SOUNDS}
    if config.get("type") in _ELSEWHERE or not set(inputs) <= known:
        return False
    return bool(inputs) or config.get("type") in ("face_network", "fusion", "ensemble")


def _offered(folder: Path, config: Mapping[str, Any]) -> Offered:
    from facewave.training import cards

    name = f"{folder.parent.name}/{folder.name}"
    about = config.get("about", {})
    kind = str(config.get("kind") or config.get("type", ""))
    return Offered(
        name,
        f"{folder.name} of {folder.parent.name}",
        cards.line(kind, about),
        tuple(config.get("inputs", ())),
        bool(about.get("synthetic")),
    )


@cache
def _read(path: Path, changed: int) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _config(folder: Path) -> dict[str, Any]:
    """A model's config.json; {} if it has none."""
    path = folder / "config.json"
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}
