"""params.yaml as typed, frozen dataclasses: one section a stage, one field an option.

An unknown or ill-typed key is an error that names it. Comments in params.yaml say what each
option does; the types and bounds stand here.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from facewave.errors import UserError

PARAMS_FILE = Path("params.yaml")

_strict = ConfigDict(extra="forbid", strict=True)
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=_strict)
class Dataset:
    """One entry of ``datasets``: where a corpus lies and who reads its label table."""

    reader: Literal["dfew"]
    root: str
    table: str
    clips: str
    about: str


@dataclass(frozen=True, config=_strict)
class Labels:
    """Stage clean."""

    folds: Annotated[int, Field(ge=2)]
    seed: int


@dataclass(frozen=True, config=_strict)
class Landmarks:
    """Stage extract."""

    min_face_frames: Annotated[int, Field(ge=2)]
    min_face_share: Share


@dataclass(frozen=True, config=_strict)
class Wavelets:
    """Stage wavelet."""

    mode: Literal["approximation", "block"]
    family: str
    level: Literal["auto"] | Count
    k: Count


@dataclass(frozen=True, config=_strict)
class Train:
    """Stage train."""

    dataset: str
    partitions: Annotated[list[Literal["split"] | Count], Field(min_length=1)]
    model: Literal["majority", "logistic", "mlp"]
    baselines: list[Literal["majority", "logistic", "mlp"]]
    inputs: Annotated[list[Literal["blendshapes", "landmarks"]], Field(min_length=1)]
    c: Positive
    hidden: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    lr: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    batch_size: Count
    epochs: Count
    patience: Count
    seed: int


@dataclass(frozen=True, config=_strict)
class Evaluate:
    """Stage evaluate."""

    resamples: Count
    seed: int


@dataclass(frozen=True, config=_strict)
class Params:
    """The whole of params.yaml."""

    datasets: Annotated[dict[str, Dataset], Field(min_length=1)]
    labels: Labels
    landmarks: Landmarks
    wavelets: Wavelets
    train: Train
    evaluate: Evaluate


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check ``params.yaml``.

    Raises:
        UserError: the file is missing, is no YAML, or has an unknown, missing or ill-typed key.
    """
    try:
        # YAML 1.2, as DVC reads it: there 1e-3 is a number, in YAML 1.1 it is a word.
        content = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} is not here. Run the command in the project's folder, where dvc.yaml lies."
        ) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable YAML: {error}") from None
    params = _check(content, path)
    if params.train.dataset not in params.datasets:
        raise UserError(
            f"{path}: train.dataset is {params.train.dataset!r}, but datasets has only "
            f"{', '.join(params.datasets)}."
        )
    return params


def dataset(params: Params, name: str) -> Dataset:
    """The entry ``datasets.<name>``.

    Raises:
        UserError: there is none.
    """
    if name not in params.datasets:
        raise UserError(
            f"{PARAMS_FILE}: there is no dataset {name!r}; datasets has "
            f"{', '.join(params.datasets)}. Add an entry or name one of these."
        )
    return params.datasets[name]


def _check(content: Any, path: Path) -> Params:
    try:
        # Through JSON, because strict dataclasses take their sections from nothing else.
        return TypeAdapter(Params).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        problems: dict[
            str, str
        ] = {}  # a union reports once for each of its types: keep the first per key
        for problem in error.errors():
            parts = [str(part) for part in problem["loc"] if not _is_type_tag(part)]
            problems.setdefault(".".join(parts) or "the whole file", _say(problem))
        lines = "; ".join(f"{key}: {problem}" for key, problem in problems.items())
        raise UserError(f"{path}: {lines}.") from None


def _is_type_tag(part: int | str) -> bool:
    """Pydantic's path names the member of a union that it tried, which is no key of the file."""
    return isinstance(part, str) and part.startswith(("literal[", "constrained-", "int", "float"))


def _say(problem: Any) -> str:
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return "unknown key (misspelt, or of another version?)"
        case "missing" | "missing_argument":
            return "this key is missing"
        case _:
            return f"{problem['msg'][0].lower()}{problem['msg'][1:]}, not {problem['input']!r}"
