"""What docs/data.md tells people to write works, and it describes every corpus."""

import re
import textwrap
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facewave import params
from facewave.labels.collect import sources
from facewave.labels.readers import CORPORA
from facewave.landmarks import tools
from running import ROOT

TEXT = (ROOT / "docs/data.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_entry_is_taken_as_it_stands(tmp_path: Path, block: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    written = yaml.load(textwrap.dedent(block))
    content = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
    entries = written.get("datasets", written)
    content["datasets"] |= entries
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    loaded = params.load(tmp_path / "params.yaml")
    for name in entries:
        entry = loaded.datasets[name]
        assert sources(entry, name)
        assert entry.tracks is None or tools.get(entry.tracks).name == entry.tracks.tool


def test_every_corpus_has_its_section() -> None:
    for corpus in CORPORA.values():
        section = TEXT.partition(f"#### `{corpus.name}`: ")[2].partition("####")[0]
        assert section, corpus.name
        if corpus.home != "-":
            assert corpus.home in section
            assert f"Access: {corpus.access}. Licence: {corpus.licence}." in section
