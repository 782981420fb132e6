"""Which model ``--model`` names, and which measured figures belong to it."""

import json
import shutil
from pathlib import Path

import pytest

from facewave.app.models import choose, measured
from facewave.app.page import offered, results
from facewave.errors import UserError
from facewave.labels.schema import SEVEN
from facewave.training import schema as training
from facewave.training.cards import _shown
from making import edit, trained_project

OWN = "models/trained/split/model"
# F1 of words stands there word by word, which is no figure of the model.
UAR = {"uar": 0.5, "uar_low": 0.4, "uar_high": 0.6, "f1": {"happy": 0.5}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained project that may be changed, with one figure for each of two roles."""
    for name in ("params.yaml", "models"):
        source = trained_project() / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    report = {
        protocol: {"n": n, "subjects": 4}
        | {
            role: UAR | {"uar": uar, "war": None, "name": "mlp", "fingerprints": {
                str(partition): training.fingerprint(training.folder(partition, role))
                for partition in partitions
            }} | ({"fold": dict.fromkeys("12")} if protocol == "folds" else {})
            for role, uar in (("model", 0.5), ("logistic", 0.25))
        }
        for protocol, n, partitions in (("split", 8, ["split"]), ("folds", 86, [1, 2]))
    }  # fmt: skip
    Path("metrics/evaluate").mkdir(parents=True)
    tasks = {"classes": {"kind": "words", "names": ["happy"], **report}}
    Path("metrics/evaluate/report.json").write_text(json.dumps({"tasks": tasks}))
    return tmp_path


def test_the_demo_is_the_first_partition_s_and_a_folder_is_itself(project: Path) -> None:
    assert choose("demo").about["partition"] == "split"
    assert choose("models/trained/1/logistic").kind == "logistic"
    with pytest.raises(UserError, match=r"nowhere/config\.json is not here"):
        choose("nowhere")
    config = project / "models/trained/split/model/config.json"
    edit(config, lambda text: text.replace('"dataset": "demo"', '"dataset": "mine"'))
    with pytest.raises(UserError, match="did not learn from the demo but from mine"):
        choose("demo")
    assert choose(OWN).about["dataset"] == "mine"


def test_the_default_is_what_needs_no_training_and_says_so() -> None:
    default = choose(None)
    assert default.classes == SEVEN
    assert [target.name for target in default.targets] == ["classes", "valence", "arousal"]
    assert choose("untrained").line() == default.line()
    assert (default.kind, default.encoder, default.inputs) == ("ensemble", "fer", ())
    assert "learnt from FER2013 (encoder fer and rules" in default.line()
    assert "Its probabilities are scores" in default.card()
    assert "43.7 % [35, 53]" in default.card()
    assert "The weights' licence is MIT." in default.card()
    assert not default.calibrated


def test_what_was_measured_of_the_encoder_is_not_said_of_the_rules() -> None:
    trust = {
        name: results.trust(offered.choose(name)) for name in ("untrained/fer", "untrained/rules")
    }
    assert "(between 35 and 53 %). Its numbers" in trust["untrained/fer"]
    assert trust["untrained/rules"].startswith("How good it is has not been measured.")


@pytest.mark.usefixtures("project")
def test_figures_are_those_of_the_role_over_folds_for_the_very_model_that_was_measured() -> None:
    found = choose(OWN).about["figures"]
    assert found == {"UAR": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 86, "folds": 2}}
    assert choose(OWN).line().endswith("UAR 50.0 % [40, 60] on 86 test clips of 2 folds")
    assert choose("models/trained/2/logistic").about["figures"]["UAR"]["value"] == 0.25
    assert measured(Path("models/trained/1/majority")) == {}
    config = Path("models/trained/1/model/config.json")
    assert measured(config.parent)
    config.write_text(config.read_text() + " ")
    assert measured(config.parent) == {}
    Path("metrics/evaluate/report.json").unlink()
    assert measured(Path("models/trained/2/model")) == {}


@pytest.mark.usefixtures("project")
def test_a_regressions_figures_are_told_by_target() -> None:
    path = Path("metrics/evaluate/report.json")
    report = json.loads(path.read_text())
    words = report["tasks"]["classes"]
    prints = {"fingerprints": words["folds"]["model"]["fingerprints"]}
    of = {"ccc": 0.3, "ccc_low": 0.1, "ccc_high": 0.5, "rmse": 0.9}
    model = prints | {"valence": of, "mean": of}
    numbers = {"kind": "number", "names": ["valence"], "split": {"n": 9, "model": model}}
    units = prints | {"AU1": {"f1": 0.1}, "mean": {"f1": 0.5, "auc": 0.6}}
    aus = {"kind": "presence", "names": ["AU1"], "folds": {"n": 7, "model": units}}
    tasks = {"classes": words, "quadrant": words, "numbers": numbers, "aus": aus}
    path.write_text(json.dumps({"tasks": tasks}))
    found = measured(Path("models/trained/1/model"))
    assert list(found) == [
        *("UAR", "UAR of quadrant", "CCC of valence", "RMSE of valence", "F1 of action units")
    ]
    assert found["F1 of action units"]["value"] == 0.5
    assert _shown("UAR of quadrant", found["UAR of quadrant"]).startswith("50.0 % [40, 60] on 86")
    assert found["CCC of valence"] == {"value": 0.3, "low": 0.1, "high": 0.5, "n": 9, "folds": 1}
    assert found["RMSE of valence"]["low"] is None
