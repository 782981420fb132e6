"""YAML and JSON that people, or their tools, have written: read within limits.

Depth takes the parsers' stack, and YAML's aliases make of a few lines more than any memory holds.
"""

import json
from typing import Any

_DEPTH = 100  # of what is nested; ours is 6 deep
_NODES = 100_000  # of YAML, aliases counted as what they stand for; ours has 300


def yaml(text: str) -> Any:
    """What a YAML 1.2 text says, as DVC reads it: there 1e-3 is a number, in YAML 1.1 a word.

    Raises:
        ValueError: it is no YAML, or larger or deeper than any file of settings; with the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem}") from None
    except RecursionError:
        raise ValueError(f"nested more than {_DEPTH} deep") from None
    except (YAMLError, ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from None  # the parser's own slips
    waiting, nodes = [(content, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        inner = node.values() if isinstance(node, dict) else node
        if isinstance(node, dict | list | set | tuple):
            waiting += [(one, depth + 1) for one in inner]
        nodes += 1
        if depth > _DEPTH:
            raise ValueError(f"nested more than {_DEPTH} deep")
        if nodes > _NODES:
            raise ValueError(f"it stands for more than {_NODES} values")
    return content


def json_of(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
