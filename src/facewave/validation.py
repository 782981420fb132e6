"""Settings checked against typed dataclasses; what does not fit is said in words of YAML."""

import json
import re
from collections import defaultdict
from itertools import islice
from pathlib import Path
from reprlib import Repr
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from facewave.errors import UserError

T = TypeVar("T")

# How a wrong value is shown: a few words of it.
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_MOST_PROBLEMS = 8  # that are named

# What pydantic's errors of type expect, in words of YAML.
_EXPECTED = dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "an integer")
_EXPECTED |= dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number")
_EXPECTED |= dict.fromkeys(("dict_type", "dataclass_type"), "a section of keys")
_EXPECTED |= {"string_type": "text", "bool_type": "true or false", "list_type": "a list"}


def checked(kind: type[T], content: Any, path: Path) -> T:
    """What a file of settings says, as dataclasses.

    Args:
        kind: of the whole, a strict pydantic dataclass.
        content: as the file's parser gives it.
        path: the file, for errors.

    Raises:
        UserError: keys are unknown, missing or ill-typed; the first ``_MOST_PROBLEMS`` are named.
    """
    try:
        # Through JSON, because strict dataclasses take their sections from nothing else.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        problems = defaultdict(list)
        for problem in error.errors():
            problems[_key(problem, content)].append(say(problem))
        lines = [
            f"{key[:100]}: {' or '.join(dict.fromkeys(expected))}" + _got(content, key)
            for key, expected in islice(problems.items(), _MOST_PROBLEMS)
        ]
        if more := len(problems) - len(lines):
            lines.append(f"and {more} more")
        raise UserError(f"{path}: {'; '.join(lines)}.") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: the whole file: {error}.") from None


def _key(problem: Any, content: Any) -> str:
    """The dotted key: what of pydantic's path is in the file, without the types it tried."""
    parts = []
    for part in problem["loc"]:
        inside = isinstance(content, dict) and part in content
        inside |= isinstance(content, list) and isinstance(part, int)
        if not inside and problem["type"] not in ("missing", "missing_argument"):
            break
        parts.append(str(part))
        content = content[part] if inside else None
    return ".".join(parts) or "the whole file"


def say(problem: Any) -> str:
    """What is wrong with a value, in words, of one of pydantic's errors."""
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return "unknown key (misspelt, or of another version?)"
        case "missing" | "missing_argument":
            return "this key is missing"
        case kind if kind in _EXPECTED:
            return f"it should be {_EXPECTED[kind]}"
        case "too_short" | "too_long":
            least = problem["ctx"].get("min_length", 2)  # the only bound above is that of a pair
            return "it should not be empty" if least == 1 else f"it should have {least} elements"
        case "greater_than_equal":
            return f"it should be {problem['ctx']['ge']} or more"
        case _:
            return re.sub(r"^(Input|String|Value error, it) ", "it ", problem["msg"])


def _got(content: Any, key: str) -> str:
    if key == "the whole file":
        return ""
    for part in key.split("."):
        try:
            content = content[int(part) if isinstance(content, list) else part]
        except (KeyError, IndexError, TypeError):
            return ""
    return ", not empty" if content is None else f", not {_SHORT.repr(content)}"
