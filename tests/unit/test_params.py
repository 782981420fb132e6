"""params.yaml: what is wrong is named by its full dotted key, in words of YAML."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from facewave import errors, params, validation
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
OF_DATASETS = ("table", "more", "clips", "licence", "synthetic")  # keys that an entry may leave out
OPTIONAL = {*LIMITS, *(f"datasets.demo.{key}" for key in OF_DATASETS)}
LISTS = [key for key, value in LEAVES.items() if isinstance(value, list)]
CHOICES = {  # a wrong value, and some of the right ones
    "labels.on_problem": ("ignore", ["exclude", "fail"]),
    "landmarks.engine": ("media_pipe", ["mediapipe", "litert"]),
    "landmarks.device": ("gpu", ["cpu", "cuda"]),
    "landmarks.whose": ("centre", ["center", "largest", "longest", "all"]),
    "landmarks.fps": ("all", ["source"]),
    "landmarks.max_side": ("none", ["source"]),
    "wavelets.transform": ("aproximation", ["approximation", "pyramid", "block", "pca"]),
    "wavelets.boundary": ("symmetric", ["open", "periodic"]),
    "train.model": ("forest", ["majority", "logistic", "gru", "knowledge", "smolvlm"]),
    "train.imbalance": ("weight", ["none", "weights", "sampler"]),
    "train.network.loss": ("crossentropy", ["cross_entropy", "focal", "balanced_dice"]),
    "train.network.schedule": ("cos", ["constant", "cosine", "step"]),
    "train.pretrained.correction": ("yes", ["none", "train", "test"]),
    "train.knowledge.standardise": ("clips", ["faces", "train"]),
    "train.ensemble.by": ("median", ["mean", "weighted", "f1", "stacking", "vote"]),
    "train.language.mode": ("zero-shot", ["zero_shot", "pretrain", "finetune"]),
    "train.language.sampling": ("all", ["uniform", "random", "middle"]),
    "train.language.picture": ("faces", ["face", "whole"]),
    "train.language.transcript": ("yes", ["none", "known", "speech"]),
    "train.language.adapter": ("mlp", ["linear", "transformer", "cross"]),
    "train.language.answers": ("text", ["likelihood", "generation"]),
    "train.language.objective": ("mae", ["mse", "ccc"]),
    "train.network.numbers": ("rmse", ["mse", "mae", "ccc", "pcc", "emonet", "bins"]),
    "train.delay": ("learned", ["none", "learnt"]),
    "labels.ambiguous": ("keep", ["exclude", "soft"]),
}
IN_LISTS = {
    "datasets.demo.words": ("eight", ["own", "seven"]),
    "train.baselines.0": ("mpl", ["logistic", "mlp", "pretrained"]),
    "train.inputs.0": ("blendshape", ["blendshapes", "landmarks"]),
    "train.partitions.1": ("all", ["split"]),
    "train.ensemble.roles.0": ("ensemble", ["pretrained", "trees"]),
    "study.models.0": ("knowledge", ["majority", "logistic", "transformer"]),
    "study.inputs.1.0": ("blendshape", ["blendshapes", "landmarks"]),
}
SWITCHES = [key for key, value in LEAVES.items() if isinstance(value, bool)]
NUMBERS = [key for key, value in LEAVES.items() if type(value) in (int, float)]
# Numbers that are written there as whole ones.
REAL = {"labels.min_agreement", "landmarks.time_limit_s", "train.network.label_smoothing",
        "faces.fps", "labels.neutral_zone", "evaluate.traces.median_s", "evaluate.traces.smooth_s",
        *LIMITS}  # fmt: skip
COUNTS = [key for key in NUMBERS if isinstance(LEAVES[key], int) and key not in REAL]
TEXTS = [key for key, value in LEAVES.items() if isinstance(value, str) and key not in CHOICES]
MISSING = object()


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


def changed(key: str, value: Any) -> dict[str, Any]:
    """The committed content with another value at a dotted key."""
    return everywhere({key: value})


Load = Callable[[Any], params.Params]
Refusal = Callable[[Any], str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a content or a text."""
    path = tmp_path / "params.yaml"

    def load_(content: Any) -> params.Params:
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        else:
            YAML(typ="safe", pure=True).dump(content, path)
        return params.load(path)

    return load_


@pytest.fixture
def refusal(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """The message for a content or a text, after the file's name, however long it is."""
    monkeypatch.setattr(validation, "_MOST_PROBLEMS", 1000)
    monkeypatch.setattr(errors, "_LONGEST", 100_000)

    def refuse(content: Any) -> str:
        with pytest.raises(UserError) as caught:
            load(content)
        file, message = str(tmp_path / "params.yaml"), str(caught.value)
        assert message.startswith(file)
        assert not [word for word in JARGON if word in message], message
        return message.removeprefix(file)

    return refuse


def test_the_committed_file_loads_with_its_values() -> None:
    loaded = params.load(COMMITTED)
    assert loaded.labels.folds == CONTENT["labels"]["folds"]
    assert loaded.train.partitions == CONTENT["train"]["partitions"]
    assert params.dataset(loaded, "demo").reader == "dfew"


def rounds(values: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """One value of each key at a time, until all have had their turn."""
    for turn in range(max(map(len, values.values()))):
        yield {key: some[turn] for key, some in values.items() if len(some) > turn}


def complaints(message: str) -> dict[str, str]:
    """What is wrong with each key."""
    parts = re.split(r"; (?=[\w.-]+: )", message.removeprefix(": ")[:-1])
    return dict(part.split(": ", 1) for part in parts)


def test_missing_and_unknown_keys_are_named(refusal: Refusal) -> None:
    needed = set(LEAVES) - OPTIONAL
    for keys in (needed, CONTENT):
        message = refusal(everywhere(dict.fromkeys(keys, MISSING)))
        assert complaints(message) == dict.fromkeys(keys, "this key is missing")
    sections = {"", *(f"{name}." for name in SECTIONS)} - {"datasets.", "landmarks.at_most."}
    unknown = {f"{section}lrr" for section in sections}
    unknown |= {"int", "train.int", "labels.floats", "train.interval"}  # like names of types
    found = complaints(refusal(everywhere(dict.fromkeys(unknown, 1))))
    assert set(found) == unknown
    assert all(text.startswith("unknown key") for text in found.values())
    entry = CONTENT["datasets"]["demo"] | {"words": "eight"}
    message = refusal(changed("datasets.interviews", entry))
    assert list(complaints(message)) == ["datasets.interviews.words"]


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
                assert set(found.values()) == {f"it should be an integer, not {value}"}
            if keys is SWITCHES:
                assert all(text.startswith("it should be true or false") for text in found.values())
    for value in (["split", 1.5], ["split", True], ["split", "1"], [1, ["split"]]):
        assert refusal(changed("train.partitions", value)).startswith(": train.partitions.1: ")


def test_numbers_out_of_bounds_are_named_with_their_values(refusal: Refusal) -> None:
    bounds: list[tuple[list[float], str]] = [
        ([0], "landmarks.time_limit_s landmarks.fps train.logistic.c train.svm.c"),
        ([0], "evaluate.resamples train.trees.stages train.partitions.1 study.k.0 study.removed.0"),
        ([0], "datasets.demo.fps datasets.demo.window datasets.demo.every train.network.hidden"),
        ([0], "train.network.batch_size train.network.epochs train.network.patience"),
        ([0], "train.language.lr.new train.language.clip train.language.batch_size"),
        ([0], "train.language.accumulation train.language.epochs train.language.lora.alpha"),
        ([1], "study.every.0 study.removed.2"),
        ([2], "labels.folds"),
        ([27], "train.language.side"),
        ([63], "landmarks.max_side"),
        ([257], "study.k.1"),
        ([-1], "train.pca train.language.examples train.language.prefix train.language.lora.rank"),
        ([-1e-9], "wavelets.max_gap_s train.network.weight_decay train.language.weight_decay"),
        ([-0.1], "train.subset.0"),
        ([1.1], "train.subset.1"),
        ([-0.1, 1.1], "labels.min_agreement train.network.warmup train.language.warmup"),
        ([-0.1, 1], "train.network.dropout train.network.label_smoothing"),
        ([-0.1, 1], "train.language.lora.dropout"),
        ([-1, 65], "train.language.frames"),
        ([-1, 257], "train.language.face_tokens"),
        ([0, 257], "wavelets.k"),
        ([0, -1e-3, float("nan"), float("inf")], "train.network.lr"),
        ([float("nan")], "study.removed.1"),
        ([-1, 2**32], "labels.seed train.seed evaluate.seed"),
    ]
    wrong = {key: outside for outside, keys in bounds for key in keys.split()}
    for values in rounds(wrong):
        found = complaints(refusal(everywhere(values)))
        assert set(found) == set(values)
        assert all(text.endswith(f"not {values[key]!r}") for key, text in found.items())


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
        "landmarks.scheduler": ["local", "tcp://node-1:8786", "tls://10.0.0.1:8786"],
        "study.transforms": [["dct"], ["approximation haar", "energy bior3.1", "pca db2"]],
    }
    for values in rounds(accepted):
        loaded = load(everywhere(values))
        for key, value in values.items():
            option: Any = loaded
            for name in key.split("."):
                option = option[name] if isinstance(option, dict) else getattr(option, name)
            assert option == value


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
    for values in rounds(refused):
        found = complaints(refusal(everywhere(values)))
        assert {key for key in values if any(name.startswith(key) for name in found)} == set(values)
    for limit in ("landmarks.at_least", "landmarks.at_most"):
        message = refusal(changed(limit, {"tilt": 3.0}))
        assert message.startswith(f": {limit}.tilt: ")
        assert "'roll'" in message
    for key in ("train.partitions", "train.inputs", "study.transforms", "study.k", "study.inputs",
                "study.models", "study.inputs.1", "study.teaching.errors",
                "train.targets"):  # fmt: skip
        assert refusal(changed(key, [])) == f": {key}: it should not be empty, not []."
    assert refusal(changed("datasets", {})).startswith(": datasets: ")


def test_nothing_is_named_twice_and_captions_are_no_inputs(refusal: Refusal) -> None:
    twice = {
        "train.partitions": ["split", 1, "split"],
        "train.inputs": ["landmarks"] * 2,
        "train.baselines": ["svm", "svm"],
        "train.targets": ["valence", "valence"],
        "study.transforms": ["dct", "dct"],
        "study.k": [5, 10, 5],
        "study.inputs": [["head"], ["head"]],
        "study.models": ["svm", "mlp", "svm"],
        "study.removed": [0.5, 0.5],
        "study.every": [2, 2],
    }
    found = complaints(refusal(everywhere(twice)))
    assert set(found) == set(twice)
    assert all(text.startswith("it should name nothing twice") for text in found.values())
    assert "name nothing twice" in refusal(changed("study.inputs.0", ["head", "head"]))
    captions = {
        "train.inputs": ["blendshapes", "caption"],
        "study.inputs.1": ["captions"],
        "train.language.prompt": "{caption}",
    }
    found = complaints(refusal(everywhere(captions)))
    assert set(found) == set(captions)
    for text in found.values():
        assert text.startswith("it should have no caption")
        assert "they tell the label" in text


def test_datasets_exist(refusal: Refusal) -> None:
    message = refusal(changed("train.dataset", "mafw"))
    assert message == ": train.dataset is 'mafw', but datasets has only demo."
    with pytest.raises(UserError, match=r"no dataset 'mafw'; datasets has demo\."):
        params.dataset(params.load(COMMITTED), "mafw")


def test_an_ensemble_has_only_what_is_trained_beside_it(load: Load, refusal: Refusal) -> None:
    ensemble = changed("train.model", "ensemble")
    assert refusal(ensemble) == (
        ": train.ensemble.roles has 'pretrained', but only what is trained beside the ensemble can "
        "be in it: trees. Add it to train.baselines."
    )
    ensemble["train"]["baselines"] = []
    assert "can be in it: nothing. Add" in refusal(ensemble)
    ensemble["train"]["baselines"] = ["knowledge", "pretrained"]
    assert load(ensemble).train.model == "ensemble"
    ensemble["train"] |= {"model": "mlp", "baselines": ["ensemble", "knowledge"]}
    assert "'pretrained'" in refusal(ensemble)
    ensemble["train"]["ensemble"]["roles"] = ["mlp", "knowledge"]  # the model is one of them
    assert load(ensemble).train.ensemble.roles == ["mlp", "knowledge"]
    ensemble["train"]["students"] = 2  # whose model is the students
    assert "has 'mlp', but" in refusal(ensemble)
    ensemble["train"]["students"] = 0
    ensemble["train"]["ensemble"]["roles"] = ["ensemble"]
    assert "train.ensemble.roles.0" in refusal(ensemble)


def test_entries_and_their_parts_are_strict(load: Load, refusal: Refusal) -> None:
    minimal = {"reader": "my-own_2", "root": "data/raw/mine", "about": "my clips"}
    entry = load(changed("datasets.mine", minimal)).datasets["mine"]
    expected = params.Dataset("my-own_2", "data/raw/mine", "my clips")
    assert entry == expected  # the reader has any name; the registry of readers says which exist
    assert (entry.words, entry.official, entry.every, entry.window) == ("own", True, 1, 2.0)
    assert (entry.folds, entry.fps, entry.at_least, entry.at_most) == (None, 25.0, {}, {})
    missing = {key: {k: v for k, v in minimal.items() if k != key} for key in minimal}
    message = refusal(everywhere({f"datasets.{key}": entry for key, entry in missing.items()}))
    keys = [f"datasets.{key}.{key}" for key in minimal]
    assert complaints(message) == dict.fromkeys(keys, "this key is missing")

    part = {"reader": "mafw", "root": "mafw", "share": 0.5}
    loaded = load(changed("datasets.demo.parts", [part]))
    assert loaded.datasets["demo"].parts == [params.Part("mafw", "mafw", 0.5)]
    wrong = [part | change for change in ({"share": 0}, {"share": 1.5}, {"reader": 3}, {"fps": 25})]
    found = complaints(refusal(changed("datasets.demo.parts", wrong)))
    keys = [f"datasets.demo.parts.{key}" for key in ("0.share", "1.share", "2.reader", "3.fps")]
    assert list(found) == keys


def test_numbers_are_read_as_yaml_1_2_has_them(load: Load) -> None:
    text = COMMITTED.read_text("utf-8")
    assert text.count("lr: 0.001\n") == text.count("face_share: 0.3") == 1
    for number in ("1e-3", "1.0e-3", "1E-3", "1.e-3"):
        loaded = load(text.replace("lr: 0.001\n", f"lr: {number}\n"))
        assert loaded.train.network.lr == 1e-3
    loaded = load(text.replace("face_share: 0.3", "face_share: 1"))
    assert loaded.landmarks.at_least["face_share"] == 1.0


def test_networks_over_faces_contradict_what_would_not_count(refusal: Refusal) -> None:
    content = COMMITTED.read_text("utf-8").replace("model: logistic ", "model: resnet18 ")
    mirrored = content.replace("mirror: false", "mirror: true")
    mirrored = mirrored.replace("sides: merged ", "sides: apart ")
    assert "learn from flipped ones, too" in refusal(mirrored)
    mirrored = mirrored.replace("model: resnet18 ", "model: fusion ")
    assert "mirror: false, or make train.model a classifier." in refusal(mirrored)
    assert "it would stay random" in refusal(content.replace("trunk_lr: 0.1", "trunk_lr: 0"))


def test_two_stages_need_pseudo_labels_and_networks_that_learn_them(
    load: Load, refusal: Refusal
) -> None:
    content = changed("train.pseudo", "after")
    content["train"]["model"] = "mlp"
    told = ": train.pseudo: after teaches pseudo-labels in a second stage, "
    expected = [
        "but pseudo.track is none, so that there are no pseudo-labels. Name a track there, or",
        "which networks over faces alone do, and there is none among train.model and "
        "train.baselines. Add one (mobilenet_v2, resnet18, ...), or",
        "which students do not: they learn everything at once. Set train.students: 0, or",
        "and these are words of the classes: train.targets should have no valence. Set "
        "train.targets: [classes], or",
    ]
    changes: list[tuple[str, dict[str, Any]]] = [
        ("pseudo", {"track": "guesses"}),
        ("train", {"model": "resnet18", "students": 2}),
        ("train", {"students": 0, "targets": ["classes", "valence"]}),
        ("train", {"model": "mlp", "baselines": ["resnet18"], "targets": ["classes"]}),
    ]
    for message, (section, change) in zip(expected, changes, strict=True):
        assert refusal(content) == f"{told}{message} set train.pseudo: together."
        content[section] |= change
    assert load(content).train.pseudo == "after"


def test_mirror_images_need_sides_apart(load: Load, refusal: Refusal) -> None:
    mirrored = COMMITTED.read_text("utf-8").replace("mirror: false", "mirror: true")
    assert "train.mirror: true changes nothing with wavelets.sides: merged" in refusal(mirrored)
    apart = load(mirrored.replace("sides: merged ", "sides: apart "))
    assert apart.train.mirror


def test_settings_that_contradict_each_other_get_a_sentence(load: Load, refusal: Refusal) -> None:
    train: dict[str, Any] = {"model": "mlp", "targets": ["valence"]}
    train |= {"network": {"numbers": "ccc", "batch_size": 1}}
    cases: list[tuple[dict[str, Any], str]] = [
        (train, "train.network.batch_size is 1, and train.network.numbers ccc, a correlation"),
        (
            train | {"network": {"numbers": "bins", "batch_size": 1}},
            "Raise the former, or take mse.",
        ),
        ({"model": "smolvlm", "delay": "learnt"}, "train.delay is learnt by classifiers alone"),
        ({"students": 2, "model": "trees"}, "train.students is 2, but students are networks"),
        ({"students": 2, "model": "pretrained"}, "Set it to one of mlp, gru, transformer, fusion,"),
        (
            {"model": "smolvlm", "targets": ["valence", "classes"]},
            "train.targets has 'classes', but a language model answers with the classes alone",
        ),
        (
            {"model": "smolvlm", "targets": ["valence", "aus"]},
            "train.targets has 'aus', but a lang",
        ),
        ({"network": {"task_weights": {"valence": 2.0}}}, "valence"),
    ]
    for changes, message in cases:
        content = copy.deepcopy(CONTENT)
        for key, value in changes.items():
            group = content["train"][key]
            content["train"][key] = group | value if isinstance(group, dict) else value
        found = refusal(content)
        assert message in found
        assert found.endswith(".")
        assert "\n" not in found
    for targets in (["classes"], ["valence", "dominance", "score.phq"]):
        content = changed("train.targets", targets)
        content["train"]["model"] = "tiny-smolvlm"
        assert load(content).train.is_regression == (targets != ["classes"])
    content = changed("train.targets", ["classes", "quadrant", "aus", "about.sex", "score.a b"])
    content["train"] |= {"model": "gru", "students": 3}
    assert load(content).train.students == 3
    for name in ("class", "score.", "about", "valence "):
        assert refusal(changed("train.targets", [name])).startswith(": train.targets.0: ")


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


def test_a_root_that_copies_of_the_project_cannot_reach_is_refused(
    load: Load, refusal: Refusal
) -> None:
    for root in ("../corpus", "data/../../x", ".."):
        message = refusal(changed("datasets.demo.root", root))
        assert message.startswith(
            f": datasets.demo.root is {root!r}, which leads out of the project"
        )
        assert f"write the whole path, {Path(root).resolve()}." in message
    for root in ("data/raw/x", "a/../b", "..a/b", "/data/x", "."):
        assert load(changed("datasets.demo.root", root)).datasets["demo"].root == root


def test_only_checked_names_get_into_a_shell_line(refusal: Refusal) -> None:
    content = YAML(typ="safe", pure=True).load(COMMITTED.with_name("dvc.yaml"))
    stages = [stage.get("do", stage) for stage in content["stages"].values()]
    assert {name for one in stages for name in re.findall(r"[$][{].*?[}]", one["cmd"])} == {
        "${key}"
    }
    for name in ("a;touch b", "$(id)", "a b", "`id`", "a\nb", "-rf", "../x", "a'b", "a.b", ""):
        datasets = {name: CONTENT["datasets"]["demo"]}
        assert refusal(changed("datasets", datasets)).startswith(": datasets"), name


def test_messages_are_short_whatever_is_in_the_file(load: Load) -> None:
    for content in (
        {},
        changed("faces", "x" * 10_000),
        changed("labels.seed", ["x" * 1000] * 50),
        everywhere(dict.fromkeys(CONTENT, 1)),
        "k" * 10_000 + ": 1",
    ):
        with pytest.raises(UserError) as caught:
            load(content)
        assert len(str(caught.value)) < 1700
    with pytest.raises(UserError, match=r"; and \d+ more\.$"):
        load({"x": 1})
