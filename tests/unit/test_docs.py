"""What docs tell people to write works, and docs/data.md describes every corpus."""

import re
import shlex
import textwrap
from dataclasses import replace
from itertools import pairwise
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


def test_the_recipe_for_one_gpu_is_taken_run_by_run(tmp_path: Path) -> None:
    guide = (ROOT / "docs/guide.md").read_text("utf-8").partition("### On one GPU\n")[2]
    recipe = guide.partition("```bash\n")[2].partition("```")[0].replace("\\\n", "")
    commands = [line.partition("#")[0].split() for line in recipe.splitlines()]
    assert [command for command in commands if commands.count(command) > 1] == []
    yaml, runs = YAML(typ="safe", pure=True), {}
    content = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
    for line in re.findall(r"^dvc exp run .*$", recipe, re.MULTILINE):
        words = shlex.split(line.replace("$MODEL", "qwen2.5-vl").replace("=dfew", "=demo"))
        for option in (after for word, after in pairwise(words) if word == "-S"):
            name, _, value = option.partition("=")
            *groups, key = name.split(".")
            section = content
            for group in groups:
                section = section[group]
            assert key in section, name
            section[key] = yaml.load(value)
        with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(content, file)
        runs[words[words.index("-n") + 1]] = params.load(tmp_path / "params.yaml")
    assert list(runs) == ["zero-shot", "pretrained", "finetuned", "with", "without"]
    modes = [run.train.language.mode for run in runs.values()]
    assert modes == ["zero_shot", "pretrain", *["finetune"] * 3]
    for run in runs.values():
        assert run.train.inputs == ["landmarks", "blendshapes"]
        made = run.wavelets
        assert (made.transform, made.wavelet, made.k) == ("approximation", "bior3.1", 10)
    lora = runs["finetuned"].train.language.lora  # of which the guide's table of memory is
    assert (lora.targets, lora.rank) == ("all", 64)
    language = runs["without"].train.language
    assert language.face_tokens == 0
    told = replace(runs["without"].train, language=replace(language, face_tokens=10))
    assert told == runs["with"].train  # the two that are compared differ in nothing else
    assert runs["pretrained"].train.subset[1] <= runs["finetuned"].train.subset[0]
