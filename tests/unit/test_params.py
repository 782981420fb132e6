"""params.yaml: what is wrong is named by its full dotted key, in words of YAML."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from facewave import params
from facewave.errors import UserError

COMMITTED = Path(__file__).parents[2] / "params.yaml"
CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(COMMITTED)
JARGON = ("function-", "constrained", "literal[", "union", "JSON", "pydantic", "dict[", "list[",
          "array", "dictionary", "after validation")  # fmt: skip


def leaves(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Every option by its dotted key."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        inside = isinstance(value, dict)
        found |= leaves(value, f"{above}{key}.") if inside else {f"{above}{key}": value}
    return found


LEAVES = leaves(CONTENT)
GROUPS = [f"train.{key}" for key, value in CONTENT["train"].items() if isinstance(value, dict)]
SECTIONS = [*CONTENT, "datasets.demo", *GROUPS, "train.language.lora"]
LIMITS = {key for key in LEAVES if key.startswith("landmarks.at_")}
LISTS = [key for key, value in LEAVES.items() if isinstance(value, list)]
CHOICES = {  # a wrong value, and some of the right ones
    "labels.on_problem": ("ignore", ["exclude", "fail"]),
    "landmarks.whose": ("centre", ["center", "largest", "longest"]),
    "landmarks.fps": ("all", ["source"]),
    "landmarks.max_side": ("none", ["source"]),
    "wavelets.transform": ("aproximation", ["approximation", "pyramid", "block", "pca"]),
    "wavelets.boundary": ("symmetric", ["open", "periodic"]),
    "train.model": ("forest", ["majority", "logistic", "svm", "trees", "gru", "smolvlm"]),
    "train.imbalance": ("weight", ["none", "weights", "sampler"]),
    "train.network.loss": ("crossentropy", ["cross_entropy", "focal", "balanced_dice"]),
    "train.network.schedule": ("cos", ["constant", "cosine"]),
    "train.language.mode": ("zero-shot", ["zero_shot", "pretrain", "finetune"]),
    "train.language.sampling": ("all", ["uniform", "random", "middle"]),
    "train.language.picture": ("faces", ["face", "whole"]),
    "train.language.transcript": ("yes", ["none", "known", "speech"]),
    "train.language.adapter": ("mlp", ["linear", "transformer", "cross"]),
    "train.language.answers": ("text", ["likelihood", "generation"]),
    "train.language.objective": ("mae", ["likelihood", "mse", "ccc"]),
}
IN_LISTS = {
    "datasets.demo.words": ("eight", ["own", "seven"]),
    "train.baselines.0": ("mpl", ["logistic", "mlp"]),
    "train.inputs.0": ("blendshape", ["blendshapes", "landmarks"]),
    "train.partitions.1": ("all", ["split"]),
    "study.models.0": ("forest", ["majority", "logistic", "transformer"]),
    "study.inputs.1.0": ("blendshape", ["blendshapes", "landmarks"]),
}
SWITCHES = [key for key, value in LEAVES.items() if isinstance(value, bool)]
NUMBERS = [
    key for key, value in LEAVES.items() if isinstance(value, int | float) and key not in SWITCHES
]
REAL = {  # numbers that are written there as whole ones
    *("labels.min_agreement", "landmarks.time_limit_s", "train.network.label_smoothing"),
    *LIMITS,
}
COUNTS = [key for key in NUMBERS if isinstance(LEAVES[key], int) and key not in REAL]
TEXTS = [key for key, value in LEAVES.items() if isinstance(value, str) and key not in CHOICES]


MISSING = object()


def changed(key: str, value: Any) -> dict[str, Any]:
    """The committed content with another value at a dotted key."""
    return everywhere({key: value})


def everywhere(changes: dict[str, Any]) -> dict[str, Any]:
    """The committed content with other values at dotted keys, or without them (``MISSING``)."""
    content = copy.deepcopy(CONTENT)
    for key, new in changes.items():
        *above, last = key.split(".")
        node: Any = content
        for name in above:
            node = node[int(name)] if isinstance(node, list) else node[name]
        if new is MISSING:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = new
    return content


Load = Callable[[Any], params.Params]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a content or a text."""

    def load_(content: Any) -> params.Params:
        path = tmp_path / "params.yaml"
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        else:
            YAML(typ="safe", pure=True).dump(content, path)
        return params.load(path)

    return load_


@pytest.fixture
def refusal(load: Load, tmp_path: Path) -> Callable[[Any], str]:
    """What is said against a content or a text, after the file's name."""

    def refuse(content: Any) -> str:
        with pytest.raises(UserError) as caught:
            load(content)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / "params.yaml"))
        assert not [word for word in JARGON if word in message], message
        return message.removeprefix(str(tmp_path / "params.yaml"))

    return refuse


Refusal = Callable[[Any], str]


def test_the_committed_file_loads_with_its_values() -> None:
    loaded = params.load(COMMITTED)
    assert loaded.labels.folds == CONTENT["labels"]["folds"]
    assert loaded.datasets["demo"].reader == "dfew"
    assert loaded.train.partitions == CONTENT["train"]["partitions"]
    assert params.dataset(loaded, "demo") is loaded.datasets["demo"]


def complaints(message: str) -> dict[str, str]:
    """What is said against each key."""
    return dict(part.split(": ", 1) for part in message.removeprefix(": ")[:-1].split("; "))


def test_missing_and_unknown_keys_are_named(refusal: Refusal) -> None:
    needed = set(LEAVES) - {"datasets.demo.table", "datasets.demo.clips", *LIMITS}
    for keys in (needed, CONTENT):
        message = refusal(everywhere(dict.fromkeys(keys, MISSING)))
        assert complaints(message) == dict.fromkeys(keys, "this key is missing")
    sections = {"", *(f"{name}." for name in SECTIONS)} - {"datasets.", "landmarks.at_most."}
    unknown = {f"{section}lrr" for section in sections}
    unknown |= {"int", "train.int", "labels.floats", "train.interval"}  # like names of types
    found = complaints(refusal(everywhere(dict.fromkeys(unknown, 1))))
    assert set(found) == unknown
    assert all(said.startswith("unknown key") for said in found.values())
    entry = CONTENT["datasets"]["demo"] | {"words": "eight"}
    assert list(complaints(refusal(changed("datasets.interviews", entry)))) == [
        "datasets.interviews.words"
    ]


def test_values_of_another_type_are_named(refusal: Refusal) -> None:
    for keys, values in (
        (NUMBERS, ["seven", "7", True, [7], None]),
        (SWITCHES, ["yes", 1, None, [True]]),
        ([*TEXTS, *CHOICES], [False, ["demo"], {"a": 1}, None]),
        (LISTS, ["split", 3, None, {"a": 1}]),
        (["study.inputs.0"], ["head", 3, None, {"a": 1}]),
        (LIMITS, [True, None, "45", [1]]),
        (COUNTS, [1.5, 1.0]),
        (CONTENT, [None, 3, "x", [1]]),
        (["datasets.demo", *GROUPS], [None, 3, "x", [1]]),
        (["train.language.lora"], [None, 3, "x", [1]]),
    ):
        for value in values:
            found = complaints(refusal(everywhere(dict.fromkeys(keys, value))))
            assert set(found) == set(keys), (set(keys) ^ set(found), value)
            if keys is COUNTS:
                assert {said for said in found.values()} == {
                    f"it should be an integer, not {value}"
                }
            if keys is SWITCHES:
                assert all(said.startswith("it should be true or false") for said in found.values())
    for value in (["split", 1.5], ["split", True], ["split", "1"], [1, ["split"]]):
        assert refusal(changed("train.partitions", value)).startswith(": train.partitions.1: ")


def test_numbers_out_of_bounds_are_named_with_their_values(refusal: Refusal) -> None:
    wrong: dict[str, list[float]] = {
        "labels.folds": [2],
        "labels.min_agreement": [-0.1, 1.1],
        "landmarks.time_limit_s": [0],
        "landmarks.fps": [0],
        "landmarks.max_side": [63],
        "wavelets.max_gap_s": [-0.1],
        "wavelets.k": [0, 257],
        "train.pca": [-1],
        "train.logistic.c": [0],
        "train.svm.c": [0, float("inf")],
        "train.trees.stages": [0],
        "train.network.label_smoothing": [1, -0.1],
        "train.network.warmup": [-0.1, 1.1],
        "train.network.hidden": [0],
        "train.network.dropout": [1, -0.1],
        "train.network.lr": [0, -1e-3, float("nan")],
        "train.network.weight_decay": [-1e-9],
        "train.network.batch_size": [0],
        "train.network.epochs": [0],
        "train.network.patience": [0],
        "train.language.frames": [-1, 65],
        "train.language.side": [27],
        "train.language.examples": [-1],
        "train.language.face_tokens": [-1, 257],
        "train.language.prefix": [-1],
        "train.language.lr": [0],
        "train.language.warmup": [-0.1, 1.1],
        "train.language.weight_decay": [-0.1],
        "train.language.clip": [0],
        "train.language.batch_size": [0],
        "train.language.accumulation": [0],
        "train.language.epochs": [0],
        "train.language.lora.rank": [-1],
        "train.language.lora.alpha": [0],
        "train.language.lora.dropout": [-0.1, 1],
        "evaluate.resamples": [0],
        "train.partitions.1": [0],
        "train.subset.0": [-0.1],
        "train.subset.1": [1.1],
        "study.k.0": [0],
        "study.k.1": [257],
        "study.removed.0": [0],
        "study.removed.2": [1],
        "study.removed.1": [float("nan")],
        "study.every.0": [1],
        "datasets.demo.fps": [0],
        "datasets.demo.window": [0],
        "datasets.demo.every": [0],
        **{f"{section}.seed": [-1, 2**32] for section in ("labels", "train", "evaluate")},
    }
    for turn in range(3):
        values = {key: some[turn] for key, some in wrong.items() if len(some) > turn}
        found = complaints(refusal(everywhere(values)))
        assert set(found) == set(values)
        assert [
            key for key, said in found.items() if not said.endswith(f"not {values[key]!r}")
        ] == []


def test_bounds_that_belong_are_accepted(load: Load) -> None:
    accepted: dict[str, list[Any]] = {
        "labels.folds": [3],
        "labels.min_agreement": [0, 1],
        "landmarks.max_side": [64],
        "wavelets.k": [1, 256],
        "train.network.dropout": [0],
        "train.network.warmup": [0, 1],
        "train.language.frames": [0, 64],
        "train.language.face_tokens": [0, 256],
        "train.language.lora.rank": [0],
        "train.subset": [[0, 1], [0.0, 0.3], [0.3, 0.5]],
        "study.every": [[], [2]],
        "study.removed": [[]],
        "train.seed": [0, 2**32 - 1],
        "datasets.demo.words": ["own", "seven", ["calm", "cross"]],
        "landmarks.scheduler": ["local", "tcp://node-1:8786", "tcp://10.0.0.1:8786"],
        "study.transforms": [["dct"], ["approximation haar", "energy bior3.1", "pca db2"]],
    }
    for key, values in accepted.items():
        for value in values:
            loaded: Any = load(changed(key, value))
            for name in key.split("."):
                loaded = loaded[name] if isinstance(loaded, dict) else getattr(loaded, name)
            assert loaded == value


def test_an_unknown_choice_is_named_with_the_choices(refusal: Refusal) -> None:
    known = CHOICES | IN_LISTS
    found = complaints(refusal(everywhere({key: wrong for key, (wrong, _) in known.items()})))
    assert set(found) == set(known)
    for key, (wrong, choices) in known.items():
        assert found[key].endswith(f"not {wrong!r}")
        assert all(repr(choice) in found[key] for choice in choices)
    for key, bound in {"train.partitions.1": "1", "landmarks.max_side": "64"}.items():
        assert f"{bound} or more" in refusal(changed(key, 0))  # or a choice
    for transform in ("", "haar", "aproximation", "dcts", "energy  haar", "dct haar db2", " dct"):
        message = refusal(changed("study.transforms.1", transform))
        assert message.startswith(": study.transforms.1: ")
        assert message.endswith(f"not {transform!r}.")
        assert "approximation|pyramid|" in message


def test_other_values_are_refused(refusal: Refusal) -> None:
    refused: dict[str, list[Any]] = {
        "landmarks.scheduler": ["", "here", "http://a:1", "tcp://", "127.0.0.1:8786", "localhost"],
        "datasets.demo.reader": ["", "a b", "../dfew", "dfew.py"],
        "datasets.demo.words": [[], [1], 7, ["calm", "calm"]],
        "train.subset": [[], [0.5], [0, 0.5, 1], [0.5, 0.5], [0.6, 0.5]],
        "train.language.prompt": ["{labels", "{caption}", "{emotion}"],
    }
    for key, values in refused.items():
        for value in values:
            assert refusal(changed(key, value)).startswith(f": {key}"), value
    for limit in ("landmarks.at_least", "landmarks.at_most"):
        message = refusal(changed(limit, {"tilt": 3.0}))
        assert message.startswith(f": {limit}.tilt: ")
        assert "'roll'" in message
    for key in ("train.partitions", "train.inputs", "study.transforms", "study.k", "study.inputs",
                "study.models", "study.inputs.1", "train.language.targets"):  # fmt: skip
        assert refusal(changed(key, [])) == f": {key}: it should not be empty, not []."
    assert refusal(changed("datasets", {})).startswith(": datasets: ")


def test_nothing_is_named_twice(refusal: Refusal) -> None:
    for key, value in {
        "train.partitions": ["split", 1, "split"],
        "train.inputs": ["landmarks"] * 2,
        "train.baselines": ["svm", "svm"],
        "train.language.targets": ["valence", "valence"],
        "study.transforms": ["dct", "dct"],
        "study.k": [5, 10, 5],
        "study.inputs": [["head"], ["head"]],
        "study.inputs.0": ["head", "head"],
        "study.models": ["svm", "mlp", "svm"],
        "study.removed": [0.5, 0.5],
        "study.every": [2, 2],
    }.items():
        assert f"{key}: it should name nothing twice" in refusal(changed(key, value))


def test_captions_are_no_inputs(refusal: Refusal) -> None:
    for key, value in {
        "train.inputs": ["blendshapes", "caption"],
        "study.inputs.1": ["captions"],
        "train.language.prompt": "{caption}",
    }.items():
        message = refusal(changed(key, value))
        assert message.startswith(f": {key}: it should have no caption")
        assert "they tell the label" in message


def test_every_wrong_key_is_told_at_once(refusal: Refusal) -> None:
    content = changed("train.network.lr", "fast")
    content["labels"]["folds"] = 0
    message = refusal(content)
    assert "labels.folds: " in message
    assert "train.network.lr: " in message


def test_datasets_exist(refusal: Refusal) -> None:
    message = refusal(changed("train.dataset", "mafw"))
    assert "train.dataset is 'mafw'" in message
    assert "demo" in message
    with pytest.raises(UserError, match=r"no dataset 'mafw'; datasets has demo\."):
        params.dataset(params.load(COMMITTED), "mafw")


def test_an_entry_needs_reader_root_and_about(load: Load, refusal: Refusal) -> None:
    minimal = {"reader": "my-own_2", "root": "data/raw/mine", "about": "my clips"}
    entry = load(changed("datasets.mine", minimal)).datasets["mine"]
    expected = params.Dataset("my-own_2", "data/raw/mine", "my clips")
    assert entry == expected  # the reader has any name; the registry of readers says which exist
    assert (entry.words, entry.official, entry.every, entry.window) == ("own", True, 1, 2.0)
    assert (entry.folds, entry.fps, entry.at_least, entry.at_most) == (None, 25.0, {}, {})
    for key in minimal:
        some = {name: value for name, value in minimal.items() if name != key}
        message = refusal(changed("datasets.mine", some))
        assert message == f": datasets.mine.{key}: this key is missing."


def test_a_part_is_as_strict_as_an_entry(load: Load, refusal: Refusal) -> None:
    part = {"reader": "mafw", "root": "mafw", "share": 0.5}
    loaded = load(changed("datasets.demo.parts", [part]))
    assert loaded.datasets["demo"].parts == [params.Part("mafw", "mafw", 0.5)]
    for key, wrong in (("share", 0), ("share", 1.5), ("reader", 3), ("fps", 25)):
        message = refusal(changed("datasets.demo.parts", [part | {key: wrong}]))
        assert message.startswith(f": datasets.demo.parts.0.{key}: ")


def test_numbers_are_read_as_yaml_1_2_has_them(load: Load) -> None:
    text = COMMITTED.read_text("utf-8")
    assert text.count("lr: 0.001\n") == text.count("face_share: 0.9") == 1
    for number in ("1e-3", "1.0e-3", "1E-3", "1.e-3"):
        loaded = load(text.replace("lr: 0.001\n", f"lr: {number}\n"))
        assert loaded.train.network.lr == 1e-3
    loaded = load(text.replace("face_share: 0.9", "face_share: 1"))
    assert loaded.landmarks.at_least["face_share"] == 1.0


def test_unreadable_files_are_user_errors(refusal: Refusal, load: Load, tmp_path: Path) -> None:
    for text in ("a: [", "\tlabels: 1", "a: 1\na: 2", "a: 1\n---\nb: 2", "\0",
                 "a: !!python/object:x y"):  # fmt: skip
        assert refusal(text).startswith(" is not readable YAML: ")
    message = refusal("labels:\n  folds: 5\n  folds: 6\n")
    assert "line 3" in message
    assert "\n" not in message
    for text in ("labels: &a [*a]", "? [1, 2]\n: 3"):  # what JSON cannot say
        refusal(text)
    for text in ("", "# nothing\n", "- a\n", "word\n"):
        assert refusal(text).startswith(": the whole file: ")
    path = tmp_path / "params.yaml"
    path.write_bytes(b"about: J\xfcrgen\n")
    with pytest.raises(UserError, match="not readable YAML"):
        params.load(path)
    path.unlink()
    with pytest.raises(UserError, match=r"params\.yaml is not here\. .*where dvc\.yaml lies\."):
        params.load(path)
