"""A new entry in params.yaml: a few lines of text more, and every other byte as it was."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from facewave import params
from facewave.errors import UserError
from facewave.files import replacing


def root_of(folder: Path) -> str:
    """A folder as an entry names it: from the project if it is in it, else as it is."""
    whole, project = folder.absolute(), Path.cwd()
    inside = whole.is_relative_to(project)
    return (whole.relative_to(project) if inside else whole).as_posix()


def as_text(name: str, entry: Mapping[str, Any], indent: int = 2) -> str:
    """An entry as lines of params.yaml below ``datasets:``."""
    yaml, lines = YAML(), StringIO()
    yaml.width = 10_000
    yaml.dump({name: _plain(entry)}, lines)
    return "".join(" " * indent + line for line in lines.getvalue().splitlines(keepends=True))


def has(name: str) -> bool:
    """Whether params.yaml has an entry of that name.

    Raises:
        UserError: there is no params.yaml in this folder, or it is damaged.
    """
    return name in params.load().datasets


def add(name: str, entry: Mapping[str, Any]) -> None:
    """Write an entry after the last of ``datasets`` in params.yaml.

    Raises:
        UserError: params.yaml is missing or damaged, has the entry, or cannot be added to as text.
    """
    if has(name):
        raise UserError(
            f"{params.PARAMS_FILE} has an entry datasets.{name}. Choose another name, or remove it."
        )
    text = params.PARAMS_FILE.read_text("utf-8")
    content = YAML().load(text)
    keys = list(content)
    after = keys[keys.index("datasets") + 1 :]
    lines = text.splitlines(keepends=True)
    end = content.lc.data[after[0]][0] if after else len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # what precedes the next section is that section's
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    addition = as_text(name, entry, content["datasets"].lc.col)
    changed = "".join([*lines[:end], addition, *lines[end:]])
    plain = YAML(typ="safe", pure=True)
    expected = plain.load(text)
    expected["datasets"][name] = entry
    try:
        as_expected = plain.load(changed) == expected
    except YAMLError:
        as_expected = False
    if not as_expected:
        raise UserError(
            f"{params.PARAMS_FILE}: the entry cannot be written below datasets, which has a form "
            f"of its own. Add it by hand:\n{addition}"
        )
    with replacing(params.PARAMS_FILE) as temporary:
        temporary.write_text(changed, "utf-8")


def _plain(value: Any) -> Any:
    """Maps as blocks and lists on one line, as the file has them."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        line = CommentedSeq(value)
        line.fa.set_flow_style()
        return line
    return value
