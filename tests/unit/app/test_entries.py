"""An entry more in params.yaml: only its lines are new, whatever the file's form."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facewave import params
from facewave.app import entries
from facewave.errors import UserError
from making import REPOSITORY

ENTRY = {
    "reader": "ravdess",
    "root": "data/raw/a",
    "about": "acted: 24 actors, 100 %",
    "features": {"table": "a.csv", "clip": "name", "columns": ["AU*_r", "AU*_c"]},
}
LINES = """\
  a:
    reader: ravdess
    root: data/raw/a
    about: 'acted: 24 actors, 100 %'
    features:
      table: a.csv
      clip: name
      columns: [AU*_r, AU*_c]
"""


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The project's own params.yaml, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    content = (REPOSITORY / "params.yaml").read_text("utf-8")
    params.PARAMS_FILE.write_text(content, "utf-8")
    return content


def test_every_other_byte_stays_and_the_entry_comes_last(text: str) -> None:
    datasets, rest = text.split("\nlabels:", 1)
    for before, after in (
        (datasets, f"\nlabels:{rest}"),
        (datasets, f"\n\n# what is done with labels\nlabels:{rest}"),
        (f"{datasets}    # a remark on the last one\n", f"\nlabels:{rest}"),
    ):
        params.PARAMS_FILE.write_text(before + after, "utf-8")
        entries.add("a", ENTRY)
        assert params.PARAMS_FILE.read_text("utf-8") == before + LINES + after
    last = f"labels:{rest}\n{datasets}".rstrip("\n")  # the file ends without a line's end
    params.PARAMS_FILE.write_text(last, "utf-8")
    entries.add("a", ENTRY)
    assert params.PARAMS_FILE.read_text("utf-8") == f"{last}\n{LINES}"
    assert params.dataset(params.load(), "a").features is not None


def test_an_entry_is_never_overwritten_and_a_file_of_another_form_stays(text: str) -> None:
    with pytest.raises(UserError, match=r"has an entry datasets\.demo\. Choose another name"):
        entries.add("demo", ENTRY)
    content = YAML(typ="safe", pure=True).load(text)
    params.PARAMS_FILE.unlink()
    flow = YAML()
    flow.default_flow_style = True
    flow.dump(content, params.PARAMS_FILE)
    before = params.PARAMS_FILE.read_bytes()
    with pytest.raises(UserError, match=r"a form of its own. Add it by hand:\n *a:\n"):
        entries.add("a", ENTRY)
    assert params.PARAMS_FILE.read_bytes() == before


def test_a_folder_in_the_project_is_named_from_there(tmp_path: Path) -> None:
    for folder, root in (
        (Path("data/raw/a"), "data/raw/a"),
        (tmp_path / "b", "b"),
        (Path("/elsewhere/c"), "/elsewhere/c"),
    ):
        assert entries.root_of(folder) == root
