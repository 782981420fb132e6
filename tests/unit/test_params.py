"""params.yaml: what is wrong is named by its full dotted key, in words of YAML."""

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from facewave import params
from facewave.errors import UserError

COMMITTED = Path(__file__).parents[2] / "params.yaml"
CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(COMMITTED)
JARGON = ("function-", "constrained", "literal[", "union", "JSON", "pydantic", "dict[", "list[")


def leaves(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Every option by its dotted key."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        inside = isinstance(value, dict)
        found |= leaves(value, f"{above}{key}.") if inside else {f"{above}{key}": value}
    return found


LEAVES = leaves(CONTENT)
SECTIONS = [*CONTENT, "datasets.demo"]
OPTIONAL = {
    "datasets.demo.table",
    "datasets.demo.clips",
    *(key for key in LEAVES if key.startswith("landmarks.at_")),
}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The committed content with another value at a dotted key."""
    content = copy.deepcopy(CONTENT)
    *above, last = key.split(".")
    node: Any = content
    for name in above:
        node = node[int(name)] if isinstance(node, list) else node[name]
    node[int(last) if isinstance(node, list) else last] = value
    return content


def without(key: str) -> dict[str, Any]:
    """The committed content without a dotted key."""
    content = copy.deepcopy(CONTENT)
    *above, last = key.split(".")
    node = content
    for name in above:
        node = node[name]
    del node[last]
    return content


def refusal(tmp_path: Path, content: Any) -> str:
    """What ``load`` says against a content or a text."""
    path = tmp_path / "params.yaml"
    if isinstance(content, str):
        path.write_text(content, "utf-8")
    else:
        YAML().dump(content, path)
    with pytest.raises(UserError) as caught:
        params.load(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert not [word for word in JARGON if word in said], said
    return said.removeprefix(str(path))


def load_text(tmp_path: Path, old: str, new: str) -> params.Params:
    path = tmp_path / "params.yaml"
    text = COMMITTED.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return params.load(path)


def test_the_committed_file_loads_with_its_values() -> None:
    loaded = params.load(COMMITTED)
    assert loaded.labels.folds == CONTENT["labels"]["folds"]
    assert loaded.datasets["demo"].reader == "dfew"
    assert loaded.train.partitions == CONTENT["train"]["partitions"]
    assert params.dataset(loaded, "demo") is loaded.datasets["demo"]


@pytest.mark.parametrize("key", [*sorted(set(LEAVES) - OPTIONAL), *CONTENT])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    assert refusal(tmp_path, without(key)) == f": {key}: this key is missing."


@pytest.mark.parametrize("section", ["", *(f"{name}." for name in SECTIONS if name != "datasets")])
def test_an_unknown_key_is_named(tmp_path: Path, section: str) -> None:
    said = refusal(tmp_path, changed(f"{section}lrr", 1))
    assert said.startswith(f": {section}lrr: unknown key")


@pytest.mark.parametrize("key", ["int", "train.int", "labels.floats", "train.interval"])
def test_an_unknown_key_is_named_whatever_its_name(tmp_path: Path, key: str) -> None:
    assert refusal(tmp_path, changed(key, 1)).startswith(f": {key}: ")


def test_a_dataset_is_named_whatever_its_name(tmp_path: Path) -> None:
    entry = CONTENT["datasets"]["demo"] | {"words": "eight"}
    said = refusal(tmp_path, changed("datasets.interviews", entry))
    assert said.startswith(": datasets.interviews.words: ")


SWITCHES = [key for key, value in LEAVES.items() if isinstance(value, bool)]
NUMBERS = [
    key for key, value in LEAVES.items() if isinstance(value, int | float) and key not in SWITCHES
]
SHARES = {  # written there as whole numbers
    "labels.min_agreement",
    "landmarks.time_limit_s",
    "landmarks.at_least.face_frames",
    "landmarks.at_least.face_px",
    "train.label_smoothing",
}
COUNTS = [key for key in NUMBERS if isinstance(LEAVES[key], int) and key not in SHARES]
CHOICES = [
    "labels.on_problem",
    "landmarks.whose",
    "wavelets.mode",
    "train.model",
    "train.loss",
    "train.imbalance",
    "train.schedule",
]
OTHERS = {*CHOICES, "landmarks.fps", "landmarks.max_side"}
TEXTS = [key for key, value in LEAVES.items() if isinstance(value, str) and key not in OTHERS]


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("wrong", ["seven", "7", True, [7], None])
def test_a_number_is_a_number(tmp_path: Path, key: str, wrong: Any) -> None:
    assert refusal(tmp_path, changed(key, wrong)).startswith(f": {key}: ")


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("wrong", [1.5, 1.0])
def test_a_count_is_a_whole_number(tmp_path: Path, key: str, wrong: float) -> None:
    said = refusal(tmp_path, changed(key, wrong))
    assert said.startswith(f": {key}: ")
    assert "integer" in said


@pytest.mark.parametrize("key", SWITCHES)
@pytest.mark.parametrize("wrong", ["yes", 1, None, [True]])
def test_a_switch_is_true_or_false(tmp_path: Path, key: str, wrong: Any) -> None:
    said = refusal(tmp_path, changed(key, wrong))
    assert said.startswith(f": {key}: it should be true or false, not ")


@pytest.mark.parametrize("key", [*TEXTS, *CHOICES])
@pytest.mark.parametrize("wrong", [7, False, ["demo"], {"a": 1}])
def test_a_text_is_a_text(tmp_path: Path, key: str, wrong: Any) -> None:
    assert refusal(tmp_path, changed(key, wrong)).startswith(f": {key}: ")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("labels.folds", 2),
        ("labels.min_agreement", -0.1),
        ("labels.min_agreement", 1.1),
        ("landmarks.time_limit_s", 0),
        ("wavelets.max_gap_s", -0.1),
        ("wavelets.k", 0),
        ("wavelets.k", 257),
        ("train.c", 0),
        ("train.pca", -1),
        ("train.trees", 0),
        ("train.label_smoothing", 1),
        ("train.label_smoothing", -0.1),
        ("train.warmup", 1.1),
        ("train.hidden", 0),
        ("train.dropout", 1),
        ("train.dropout", -0.1),
        ("train.lr", 0),
        ("train.lr", -1e-3),
        ("train.weight_decay", -1e-9),
        ("train.batch_size", 0),
        ("train.epochs", 0),
        ("train.patience", 0),
        ("evaluate.resamples", 0),
        ("train.partitions.1", 0),
        ("train.subset.0", -0.1),
        ("train.subset.1", 1.1),
        ("train.lr", float("nan")),
        ("study.k.0", 0),
        ("study.k.1", 257),
        ("study.removed.0", 0),
        ("study.removed.2", 1),
        ("study.removed.1", float("nan")),
        ("study.every.0", 1),
        ("datasets.demo.fps", 0),
        ("datasets.demo.window", 0),
        ("datasets.demo.every", 0),
    ],
)
def test_a_number_out_of_bounds_is_named_with_its_value(
    tmp_path: Path, key: str, wrong: float
) -> None:
    said = refusal(tmp_path, changed(key, wrong))
    assert said.startswith(f": {key}: ")
    assert said.endswith(f"not {wrong!r}.")


@pytest.mark.parametrize("key", ["train.c", "train.lr", "train.weight_decay"])
def test_infinity_is_no_number(tmp_path: Path, key: str) -> None:
    assert refusal(tmp_path, changed(key, float("inf"))).startswith(f": {key}: ")


@pytest.mark.parametrize("key", ["labels.seed", "train.seed", "evaluate.seed"])
@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_one_that_numpy_takes(tmp_path: Path, key: str, seed: int) -> None:
    assert refusal(tmp_path, changed(key, seed)).startswith(f": {key}: ")


@pytest.mark.parametrize(
    ("key", "wrong", "choices"),
    [
        ("datasets.demo.words", "eight", ["own", "seven"]),
        ("labels.on_problem", "ignore", ["exclude", "fail"]),
        ("landmarks.whose", "centre", ["center", "largest", "longest"]),
        ("landmarks.fps", "all", ["source"]),
        ("landmarks.max_side", "none", ["source"]),
        ("wavelets.mode", "aproximation", ["approximation", "pyramid", "block", "pca"]),
        ("wavelets.boundary", "symmetric", ["open", "periodic"]),
        ("train.model", "forest", ["majority", "logistic", "svm", "trees", "gru", "transformer"]),
        ("train.baselines.0", "mpl", ["logistic", "mlp"]),
        ("train.loss", "crossentropy", ["cross_entropy", "focal", "balanced", "balanced_dice"]),
        ("train.imbalance", "weight", ["none", "weights", "sampler"]),
        ("train.schedule", "cos", ["constant", "cosine"]),
        ("train.inputs.0", "blendshape", ["blendshapes", "landmarks"]),
        ("train.partitions.1", "all", ["split"]),
        ("study.models.0", "forest", ["majority", "logistic", "transformer"]),
        ("study.inputs.1.0", "blendshape", ["blendshapes", "landmarks"]),
    ],
)
def test_an_unknown_choice_is_named_with_the_choices(
    tmp_path: Path, key: str, wrong: str, choices: list[str]
) -> None:
    said = refusal(tmp_path, changed(key, wrong))
    assert said.startswith(f": {key}: ")
    assert said.endswith(f"not {wrong!r}.")
    assert all(repr(choice) in said for choice in choices)


@pytest.mark.parametrize(
    ("key", "bound"),
    [
        ("train.partitions.1", "1"),
        ("landmarks.max_side", "64"),
        ("landmarks.fps", "0"),
    ],
)
def test_a_choice_or_a_number_is_offered_both(tmp_path: Path, key: str, bound: str) -> None:
    said = refusal(tmp_path, changed(key, 0))
    assert bound in said
    assert "or " in said


@pytest.mark.parametrize("value", ["local", "tcp://node-1:8786", "tcp://10.0.0.1:8786"])
def test_who_detects(tmp_path: Path, value: str) -> None:
    found = load_text(tmp_path, "scheduler: local", f"scheduler: {value}")
    assert found.landmarks.scheduler == value


@pytest.mark.parametrize(
    "value", ["", "here", "http://a:1", "tcp://", "127.0.0.1:8786", "localhost"]
)
def test_no_scheduler_s_address_is_refused(tmp_path: Path, value: str) -> None:
    said = refusal(tmp_path, changed("landmarks.scheduler", value))
    assert said.startswith(": landmarks.scheduler: ")


@pytest.mark.parametrize("key", ["landmarks.at_least", "landmarks.at_most"])
@pytest.mark.parametrize("wrong", [{"yaw": "45"}, {"yaw": None}, {"yaw": True}, {"yaw": [1]}])
def test_a_limit_is_a_number(tmp_path: Path, key: str, wrong: dict[str, Any]) -> None:
    assert refusal(tmp_path, changed(key, wrong)).startswith(f": {key}.yaw: ")


@pytest.mark.parametrize("key", ["landmarks.at_least", "landmarks.at_most"])
def test_a_limit_to_no_measure_is_named_with_the_measures(tmp_path: Path, key: str) -> None:
    said = refusal(tmp_path, changed(key, {"tilt": 3.0}))
    assert said.startswith(f": {key}.tilt: ")
    assert "'roll'" in said


@pytest.mark.parametrize("wrong", [["split", 1.5], ["split", True], ["split", "1"], [1, ["split"]]])
def test_a_wrong_element_is_named_by_its_place(tmp_path: Path, wrong: list[Any]) -> None:
    assert refusal(tmp_path, changed("train.partitions", wrong)).startswith(
        ": train.partitions.1: "
    )


STUDIED = [f"study.{key}" for key in ("transforms", "k", "inputs", "models")]
LISTS = [
    "train.partitions",
    "train.inputs",
    "train.baselines",
    "train.subset",
    *STUDIED,
    "study.inputs.0",
    "study.removed",
    "study.every",
]


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("wrong", ["split", 3, None, {"a": 1}])
def test_a_list_is_a_list(tmp_path: Path, key: str, wrong: Any) -> None:
    assert refusal(tmp_path, changed(key, wrong)).startswith(f": {key}: ")


@pytest.mark.parametrize(
    "key", ["train.partitions", "train.inputs", "datasets", *STUDIED, "study.inputs.1"]
)
def test_what_must_not_be_empty_is_named(tmp_path: Path, key: str) -> None:
    empty: Any = {} if key == "datasets" else []
    assert refusal(tmp_path, changed(key, empty)).startswith(f": {key}: ")


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("wrong", [None, 3, "x", [1]])
def test_a_section_holds_keys(tmp_path: Path, key: str, wrong: Any) -> None:
    assert refusal(tmp_path, changed(key, wrong)).startswith(f": {key}: ")


@pytest.mark.parametrize(
    ("key", "wrong", "jargon"),
    [
        ("train.partitions", [], "after validation"),
        ("train.partitions", "split", "array"),
        ("train", 3, "object"),
        ("datasets", {}, "dictionary"),
        ("train.lr", None, "None"),
    ],
)
def test_the_words_are_those_of_yaml(tmp_path: Path, key: str, wrong: Any, jargon: str) -> None:
    assert jargon not in refusal(tmp_path, changed(key, wrong))


def test_every_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    content = changed("train.lr", "fast")
    content["labels"]["folds"] = 0
    said = refusal(tmp_path, content)
    assert "labels.folds: " in said
    assert "train.lr: " in said


def test_the_trained_dataset_exists(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed("train.dataset", "mafw"))
    assert "train.dataset is 'mafw'" in said
    assert "demo" in said


def test_an_unknown_dataset_is_named_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"no dataset 'mafw'; datasets has demo\."):
        params.dataset(params.load(COMMITTED), "mafw")


@pytest.mark.parametrize("text", ["1e-3", "0.001", "1.0e-3", "1E-3", "1.e-3"])
def test_numbers_are_read_as_yaml_1_2_has_them(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, "lr: 0.001", f"lr: {text}").train.lr == 1e-3


def test_a_whole_number_may_stand_for_a_share(tmp_path: Path) -> None:
    assert load_text(tmp_path, "face_share: 0.9", "face_share: 1").landmarks.at_least == {
        "face_frames": 10,
        "face_share": 1.0,
        "face_px": 32,
    }


@pytest.mark.parametrize(
    "text", ["a: [", "\tlabels: 1", "a: 1\na: 2", "a: 1\n---\nb: 2", "a: !!python/object:x y", "\0"]
)
def test_no_yaml_is_a_user_error(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith(" is not readable YAML: ")


def test_no_yaml_is_told_in_one_line_with_its_place(tmp_path: Path) -> None:
    said = refusal(tmp_path, "labels:\n  folds: 5\n  folds: 6\n")
    assert "\n" not in said
    assert "line 3" in said


@pytest.mark.parametrize("text", ["labels: &a [*a]", "? [1, 2]\n: 3"])
def test_yaml_that_no_json_can_say_is_a_user_error(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, text)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word\n"])
def test_a_file_without_sections_is_a_user_error(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith(": the whole file: ")


def test_a_file_in_another_encoding_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"about: J\xfcrgen\n")
    with pytest.raises(UserError, match="not readable YAML"):
        params.load(path)


def test_a_missing_file_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is not here\. .*where dvc\.yaml lies\."):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.partitions", ["split", 1, "split"]),
        ("train.inputs", ["landmarks"] * 2),
        ("train.baselines", ["svm", "svm"]),
        ("study.transforms", ["dct", "dct"]),
        ("study.k", [5, 10, 5]),
        ("study.inputs", [["head"], ["head"]]),
        ("study.inputs.0", ["head", "head"]),
        ("study.models", ["svm", "mlp", "svm"]),
        ("study.removed", [0.5, 0.5]),
        ("study.every", [2, 2]),
    ],
)
def test_nothing_is_named_twice(tmp_path: Path, key: str, value: list[Any]) -> None:
    assert f"{key}: it should name nothing twice" in refusal(tmp_path, changed(key, value))


MINIMAL = {"reader": "my-own_2", "root": "data/raw/mine", "about": "my clips"}


def test_of_an_entry_only_reader_root_and_about_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    YAML().dump(changed("datasets.mine", MINIMAL), path)
    assert params.load(path).datasets["mine"] == params.Dataset(
        reader="my-own_2",  # any name; the registry of readers tells which exist
        root="data/raw/mine",
        about="my clips",
        table="",
        clips="",
        track="",
        encoding="",
        words="own",
        official=True,
        every=1,
        window=2.0,
        fps=25.0,
        columns={},
        parts=[],
    )


@pytest.mark.parametrize("key", MINIMAL)
def test_those_three_are_needed(tmp_path: Path, key: str) -> None:
    entry = {name: value for name, value in MINIMAL.items() if name != key}
    said = refusal(tmp_path, changed("datasets.mine", entry))
    assert said == f": datasets.mine.{key}: this key is missing."


@pytest.mark.parametrize("name", ["", "a b", "../dfew", "dfew.py"])
def test_a_reader_is_named_by_a_word(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, changed("datasets.demo.reader", name))
    assert said.startswith(": datasets.demo.reader: ")


@pytest.mark.parametrize("words", ["own", "seven", ["calm", "cross"]])
def test_words_are_own_the_common_ones_or_a_list(tmp_path: Path, words: Any) -> None:
    path = tmp_path / "params.yaml"
    YAML().dump(changed("datasets.demo.words", words), path)
    assert params.load(path).datasets["demo"].words == words


@pytest.mark.parametrize("words", [[], [1], 7, ["calm", "calm"]])
def test_other_words_are_refused(tmp_path: Path, words: Any) -> None:
    said = refusal(tmp_path, changed("datasets.demo.words", words))
    assert said.startswith(": datasets.demo.words")


def test_a_part_is_as_strict_as_an_entry(tmp_path: Path) -> None:
    part = {"reader": "mafw", "root": "mafw", "share": 0.5}
    path = tmp_path / "params.yaml"
    YAML().dump(changed("datasets.demo.parts", [part]), path)
    assert params.load(path).datasets["demo"].parts == [params.Part("mafw", "mafw", 0.5)]
    for key, wrong in (("share", 0), ("share", 1.5), ("reader", 3), ("fps", 25)):
        said = refusal(tmp_path, changed("datasets.demo.parts", [part | {key: wrong}]))
        assert said.startswith(f": datasets.demo.parts.0.{key}: ")


@pytest.mark.parametrize("slice_", [[0, 1], [0.0, 0.3], [0.3, 0.5]])
def test_a_subset_is_a_slice_of_the_clips(tmp_path: Path, slice_: list[float]) -> None:
    path = tmp_path / "params.yaml"
    YAML().dump(changed("train.subset", slice_), path)
    assert params.load(path).train.subset == slice_


@pytest.mark.parametrize("wrong", [[], [0.5], [0, 0.5, 1]])
def test_a_subset_has_two_ends(tmp_path: Path, wrong: list[float]) -> None:
    assert refusal(tmp_path, changed("train.subset", wrong)).startswith(": train.subset: ")


@pytest.mark.parametrize("inputs", [["captions"], ["blendshapes", "caption"]])
def test_captions_are_no_inputs(tmp_path: Path, inputs: list[str]) -> None:
    said = refusal(tmp_path, changed("train.inputs", inputs))
    assert said.startswith(": train.inputs: it should have no captions: they tell the label")


def test_captions_are_no_inputs_of_a_study(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed("study.inputs", [["blendshapes"], ["captions"]]))
    assert said.startswith(": study.inputs.1: it should have no captions")


@pytest.mark.parametrize("key", ["study.removed", "study.every"])
def test_no_frames_need_be_taken_away(tmp_path: Path, key: str) -> None:
    path = tmp_path / "params.yaml"
    YAML().dump(changed(key, []), path)
    assert getattr(params.load(path).study, key.removeprefix("study.")) == []


@pytest.mark.parametrize("transform", ["dct", "approximation haar", "energy bior3.1", "pca db2"])
def test_a_transform_is_a_mode_with_or_without_a_family(tmp_path: Path, transform: str) -> None:
    path = tmp_path / "params.yaml"
    YAML().dump(changed("study.transforms", [transform]), path)
    assert params.load(path).study.transforms == [transform]


@pytest.mark.parametrize(
    "transform", ["", "haar", "aproximation", "dcts", "energy  haar", "dct haar db2", " dct", 7]
)
def test_what_is_no_transform_is_named_with_the_modes(tmp_path: Path, transform: Any) -> None:
    said = refusal(tmp_path, changed("study.transforms.1", transform))
    assert said.startswith(": study.transforms.1: ")
    assert said.endswith(f"not {transform!r}.")
    if isinstance(transform, str):
        assert "approximation|pyramid|" in said
