"""The page as the stage writes it."""

import base64
import json
import re
import shutil
from contextlib import chdir
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.report.__main__ import main
from facewave.report.page import picture
from making import ABOUT, run
from making_found import PICTURES, PNG, made, regress, regressed, report, runs, spoken, write

VOID = {"meta", "img", "br", "link", "hr", "input"}
NASTY = "<script>alert('x')</script> & \"joy\""


@dataclass
class Read(HTMLParser):
    """What is in a page, and whether its tags are closed in the order in which they are opened."""

    text: str = ""
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    styles: str = ""
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.styles += data
        else:
            self.text += data


def read(page: str) -> Read:
    reader = Read()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    reader.text = " ".join(reader.text.replace("\u00a0", " ").split())
    return reader


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write(folder)
    return folder


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(written, tmp_path / "project"))


@pytest.fixture(scope="module")
def page(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Of the stage as a command."""
    folder = shutil.copytree(written, tmp_path_factory.mktemp("page") / "project")
    process = run(Path(folder), "-m", "facewave.report")
    assert process.returncode == 0, process.stderr
    assert "metrics/report.html" in process.stdout
    return read((Path(folder) / "metrics/report.html").read_text("utf-8"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_all_sections_in_their_order(page: Read) -> None:
    sections = [given["id"] for tag, given in page.tags if tag == "section"]
    assert sections == ["what", "numbers", "good", "when", "why", "else", "doubt", "repeat"]
    links = [given["href"] for tag, given in page.tags if tag == "a"]
    assert [link for link in links if str(link).startswith("#")] == [f"#{id}" for id in sections]
    titles = [
        *("What this is", "From clips to numbers", "How good, in detail", "When it is good"),
        *("Why", "What else was tried", "What failed or is doubtful", "How to repeat it"),
    ]
    found = [page.text.index(f"{i}{title}") for i, title in enumerate(titles, 1)]
    assert found == sorted(found)


def test_it_says_what_it_is_about_and_how_good_that_is(page: Read) -> None:
    main = report()["folds"]
    assert ABOUT in page.text
    assert "The clips are synthetic." in page.text  # what the test's dataset says of itself
    assert f"names the emotion of {100 * main['model']['war']:.1f} % of the test clips" in page.text
    for text in (
        "below each figure its 95 % interval, by bootstrap over subjects",
        "The same on one 80/10/10 split: 6 test clips; intervals over clips",
        "The label files have 39 rows; 36 are kept and 3 left out",
        "Of 40 clips, 37 can be used. 4,005 frames were looked at; 98.7 % of them show the face",
        "is condensed to K = 10 numbers",
        "1 usable clip did not: the face is away for longer than 1 s",
        "By its validation clips one would choose approximation haar, K = 10, blendshapes, "
        "logistic regression: 60.0 % UAR",
        "The best on the test clips is dct, K = 10, blendshapes, logistic regression with 62.2 %. "
        "It is the best of 3 runs",
        "Guessing would give 33.3 % of each.",
        "It recognises people, too",
        "Never found: neutral",
        "Not in the test clips: fear",
        "The first 2 of 2, the most doubtful first",
    ):
        assert text in page.text


def test_all_settings_and_words_are_explained(page: Read, project: Path) -> None:
    settings = (project / "params.yaml").read_text("utf-8")
    assert " ".join(settings.split()) in page.text
    words = ("WAR", "UAR", "Macro F1", "AUC", "ECE", "K", "Blendshape", "Pose-free", "Fold",
             "Bootstrap interval")  # fmt: skip
    for word in words:
        assert re.search(rf"{word}[A-Z0-9]", page.text), word  # its explanation follows
    assert "dvc repro" in page.text


def test_every_picture_is_in_the_page_with_words_for_who_cannot_see_it(page: Read) -> None:
    shown = [given for tag, given in page.tags if tag == "img"]
    head = "data:image/png;base64,"
    assert all(str(given["src"]).startswith(head) for given in shown)
    bytes_of = {base64.b64decode(str(given["src"])[len(head) :]) for given in shown}
    assert bytes_of == {PNG + place.encode() for place in PICTURES.values()}
    assert all(given["alt"] and (given["width"], given["height"]) == ("3", "2") for given in shown)


def test_a_pictures_size_is_that_of_its_header() -> None:
    found = picture(PNG)
    assert (found.width, found.height) == (3, 2)


def test_nothing_is_loaded(page: Read) -> None:
    loading = [
        value
        for _, given in page.tags
        for name, value in given.items()
        if name in ("src", "href", "srcset", "data", "action", "poster", "background")
    ]
    assert loading
    for value in map(str, loading):
        assert value.startswith(("data:image/png", "#")) or not re.match(r"[\w+.-]*:|/", value)
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    policy = [given["content"] for _, given in page.tags if "http-equiv" in given]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_links_go_to_files_that_stages_write(page: Read) -> None:
    links = {str(given["href"]) for tag, given in page.tags if tag == "a"}
    assert {link for link in links if not link.startswith("#")} == {
        "extract/demo.csv",
        "evaluate/suspects.csv",
        "evaluate/report.json",
        "evaluate/predictions.csv",
        "study/runs.csv",
    }


def test_the_same_files_give_the_same_bytes(project: Path) -> None:
    assert made(project) == made(project)


def test_it_reads_on_phones_on_paper_and_in_the_dark(page: Read) -> None:
    for rule in ("prefers-color-scheme: dark", "max-width: 40rem", "@media print"):
        assert rule in page.styles
    assert any(given.get("name") == "viewport" for tag, given in page.tags if tag == "meta")


def test_peoples_texts_are_never_markup(project: Path) -> None:
    metrics = project / "metrics"
    for path in (*metrics.rglob("*.json"), *metrics.rglob("*.csv"), project / "params.yaml"):
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            for word in ("happy", ABOUT, "vote tie", "no face in any frame", "dct", "list.csv"):
                text = text.replace(word, json.dumps(f"{word} {NASTY}")[1:-1])
        elif path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            texts = table.columns.intersection(
                [
                    "file_path",
                    "actual",
                    "suggested",
                    "table",
                    "range",
                    "name",
                    "condition",
                    "transform",
                ]
            )
            table[texts] = table[texts].apply(lambda column: column + f" {NASTY}")
            table.to_csv(path, index=False)
            text = path.read_text("utf-8")
        else:
            text = text.replace(ABOUT, json.dumps(f"{ABOUT} {NASTY}"))
        path.write_text(text, "utf-8")
    found = read(made(project))
    assert "script" not in {tag for tag, _ in found.tags}
    plain = " ".join(NASTY.split())
    for word in (ABOUT, "happy", "vote tie", "no face in any frame", "clips/0.mp4", "s00",
                 "jawOpen", "50% removed", "dct", "list.csv"):  # fmt: skip
        assert f"{word} {plain}" in found.text, word


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("clean/demo.json", "dvc repro clean@demo"),
        ("extract/demo.json", "dvc repro extract@demo"),
        ("wavelet/demo.json", "dvc repro wavelet@demo"),
        ("evaluate/report.json", "dvc repro evaluate"),
        ("evaluate/robustness.csv", "dvc repro evaluate"),
        ("evaluate/suspects.csv", "dvc repro evaluate"),
        ("study/summary.json", "dvc repro study"),
        ("study/runs.csv", "dvc repro study"),
        ("study/leakage.csv", "dvc repro study"),
        ("study/removed.csv", "dvc repro study"),
    ],
)
def test_without_a_stages_metrics_a_sentence(project: Path, name: str, command: str) -> None:
    (project / "metrics" / name).unlink()
    with chdir(project), pytest.raises(UserError) as raised:
        main()
    assert str(raised.value) == f"metrics/{name} is not here. Make it with: {command}"
    assert not (project / "metrics/report.html").exists()


def test_half_a_file_is_named(project: Path) -> None:
    path = project / "metrics/clean/demo.json"
    path.write_text(path.read_text("utf-8")[:40], "utf-8")
    with (
        chdir(project),
        pytest.raises(UserError, match=r"clean/demo\.json is no readable JSON.*clean@demo"),
    ):
        main()


@pytest.mark.parametrize(
    ("stage", "name"), [("evaluate", "report.json"), ("study", "summary.json")]
)
def test_metrics_of_another_dataset_are_not_told_as_this_one(
    project: Path, stage: str, name: str
) -> None:
    change(project / "metrics" / stage / name, dataset="mafw: films")
    with (
        chdir(project),
        pytest.raises(UserError, match=rf"{stage} is about 'mafw: films'.*{stage}$"),
    ):
        main()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clean", "no picture of the classes"),
        ("extract", ""),
        ("wavelet", "no curves of what is lost"),
        ("clip", "no picture of a clip"),
        ("confusion", "no picture of the confusion"),
        ("curves", "no learning curves"),
        ("robustness", "no picture of the scores by conditions"),
        ("explanation", ""),
        ("suspects", "no picture of them"),
        ("ablation", "no picture of the runs"),
        ("removed", "no picture of clips with frames taken away"),
        ("leakage", "no picture of it"),
    ],
)
def test_a_picture_that_is_not_there_is_told(project: Path, name: str, said: str) -> None:
    (project / "metrics" / PICTURES[name]).unlink()
    found = read(made(project))
    assert len([1 for tag, _ in found.tags if tag == "img"]) == len(PICTURES) - 1
    assert len([1 for tag, _ in found.tags if tag == "figure"]) == len(PICTURES) - 1
    missing = [given for _, given in found.tags if given.get("class") == "missing"]
    assert len(missing) == bool(said)
    assert f"There is {said}" in found.text or f"There are {said}" in found.text or not said


def test_what_no_stage_could_measure_is_told(project: Path) -> None:
    metrics = project / "metrics"
    for name in ("leakage", "explanation", "suspects", "clip"):
        (metrics / PICTURES[name]).unlink()
    fields = (metrics / "evaluate/importance.csv").read_text("utf-8").splitlines()[0]
    (metrics / "evaluate/importance.csv").write_text(fields + "\n", "utf-8")
    (metrics / "study/leakage.csv").write_text("\n", "utf-8")  # as an empty table is written
    header = (metrics / "evaluate/suspects.csv").read_text("utf-8").splitlines()[0]
    (metrics / "evaluate/suspects.csv").write_text(header + "\n", "utf-8")
    summary = json.loads((metrics / "study/summary.json").read_text("utf-8"))
    del summary["leakage"]
    (metrics / "study/summary.json").write_text(json.dumps(summary), "utf-8")
    change(metrics / "wavelet/demo.json", unexplained={}, clips_measured=0)
    change(metrics / "extract/demo.json", measures={}, left_out={}, usable=40)
    found = read(made(project))
    for said in (
        "It cannot be told: no two clips are known to share a person or source",
        "It was not measured: no test clip shows a usable face.",
        "What is lost was not measured",
        "The models doubt no label.",
    ):
        assert said in found.text
    assert "may be wrong" not in found.text
    assert "How good the clips are" not in found.text


@pytest.mark.parametrize("key", ["split", "folds"])
def test_one_protocol_alone(project: Path, key: str) -> None:
    figures = report(folds=key == "folds", split=key == "split")
    path = project / "metrics/evaluate/report.json"
    path.write_text(json.dumps(figures), "utf-8")
    found = read(made(project))
    assert ("Mean over folds" in found.text) == (key == "folds")
    assert ("Fold by fold" in found.text) == (key == "folds")
    assert ("One split into training" in found.text) == (key == "split")
    assert "The same on one 80/10/10 split" not in found.text


def test_clips_of_people_that_are_real_have_no_banner(project: Path) -> None:
    for path in (*(project / "metrics").rglob("*.json"), project / "params.yaml"):
        path.write_text(path.read_text("utf-8").replace(ABOUT, "acted"), "utf-8")
    found = read(made(project))
    assert "synthetic" not in found.text.split("All settings")[0]
    assert "acted" in found.text


def test_many_runs_are_folded_away(project: Path, page: Read) -> None:
    assert "All 3 runs" not in page.text
    pd.concat([runs()] * 14).to_csv(project / "metrics/study/runs.csv", index=False)
    assert "All 42 runs" in read(made(project)).text


def test_of_very_many_persons_the_table_is_named(project: Path, page: Read) -> None:
    assert "Scene by scene, person by person: 12 rows" in page.text
    path = project / "metrics/evaluate/robustness.csv"
    lines = pd.read_csv(path)
    some = lines[lines["condition"] == "subject"]
    pd.concat([lines, *[some] * 16]).to_csv(path, index=False)
    found = read(made(project))
    assert "scene by scene and person by person: 204 rows" in found.text
    assert "s11" not in found.text


def test_names_that_look_like_missing_values_or_have_line_ends_stay(project: Path) -> None:
    path = project / "metrics/evaluate/suspects.csv"
    path.write_text(path.read_text("utf-8").replace("clips/0.mp4", '"NA\u2028null"'), "utf-8")
    assert "NA null" in read(made(project)).text


def test_the_template_is_shipped_with_the_package(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    shutil.copy(root / "pyproject.toml", tmp_path)
    text = (tmp_path / "pyproject.toml").read_text("utf-8")
    patterns = re.search(r"^facewave = (\[.*\])$", text, re.MULTILINE)
    assert patterns is not None
    package = root / "src/facewave"
    shipped = {path for pattern in json.loads(patterns[1]) for path in package.glob(pattern)}
    room = package / "report"
    assert {path for path in room.iterdir() if path.suffix in (".css", ".j2")} <= shipped


def told(project: Path, report: dict[str, Any]) -> Read:
    (project / "metrics/evaluate/report.json").write_text(json.dumps(report), "utf-8")
    return read(made(project))


def sections_of(page: Read) -> list[str | None]:
    return [given["id"] for tag, given in page.tags if tag == "section"]


def test_of_a_classifier_nothing_is_said_of_language_models(page: Read) -> None:
    before = page.text.split("All settings")[0]
    for word in ("language", "LoRA", "face token", "CCC"):
        assert word not in before


def test_a_language_model_s_page_says_how_it_was_asked(project: Path, page: Read) -> None:
    found = told(project, spoken(9, answers="generation", transcript="known", frames=3))
    assert sections_of(found) == sections_of(page)
    for text in (
        "A language model is shown 3 frames and what is said and these numbers and asked for",
        "The tiny SmolVLM names the emotion of",
        "25 of 1,000 parameters (2.5 %) are trained",
        "<face> stands for 12 face tokens; the dots for what is said in it.",
        "The face: <face>. Which of <b>?",  # markup in a prompt is its text
        "9 of 36 (25.0 %) cannot be read",
        "9 of 36 answers cannot be read",
        "What follows in this section is of classifiers only",
        "The language model's weights are random",
        "is not measured of a language model",
        "It gives none: what the language model writes counts as certain",
        "LoRA",
    ):
        assert text in found.text, text
    alts = [given["alt"] for tag, given in found.tags if tag == "img"]
    assert "Loss in training and validation over steps" in alts
    assert "over epochs" not in str(alts)
    assert "by heart" in found.text


def test_an_untrained_language_model_has_nothing_trained(project: Path) -> None:
    (project / "metrics" / PICTURES["curves"]).unlink()
    how: dict[str, Any] = {
        "mode": "zero_shot",
        "trained": 0,
        "lora": None,
        "face_tokens": 0,
        "adapter": None,
    }
    found = told(project, spoken(**how))
    for text in (
        "Nothing of it was trained here.",
        "There are no learning curves: the language model was not trained.",
        "by the likelihood of its words",
        "The model says how probable its answer is.",
    ):
        assert text in found.text, text
    for text in ("are trained", "<face>", "cannot be read", "these numbers and asked"):
        assert text not in found.text.replace("The face: <face>", ""), text


def test_where_only_the_majority_stands_beside_no_table_of_it_is_there(project: Path) -> None:
    path = project / "metrics/study/removed.csv"
    rows = pd.read_csv(path)
    rows[rows["role"] == "majority"].to_csv(path, index=False)
    assert "with fewer frames; percent" not in told(project, spoken()).text


def test_a_regression_s_page_has_what_there_is_of_it(project: Path) -> None:
    regress(project)
    found = read(made(project))
    assert sections_of(found) == ["what", "numbers", "good", "doubt", "repeat"]
    links = [str(given["href"]) for tag, given in found.tags if tag == "a"]
    assert [link for link in links if link[0] == "#"] == [f"#{id}" for id in sections_of(found)]
    for text in (
        "how high are valence and stress of a person",
        "The tiny SmolVLM gives valence with a CCC of 0.0",
        "stress with a CCC of 1.00 (95 % interval 1.00 to 1.00)",
        "36 test clips, those that have all targets",
        "The same on one 80/10/10 split: 12 test clips",
        "fold 3",
        "No closer than the mean: valence",
        "weights are random",
        "Asking the language model",
        "CCCConcordance",
        "dvc exp run -S train.language.lr",
    ):
        assert text in found.text, text
    before = found.text.split("All settings")[0]
    for word in ("UAR", "WAR", "emotion by emotion", "recall", "majority", "study/runs",
                 "Labels to look at", "facewave compare", "emotion counts"):  # fmt: skip
        assert word.lower() not in before.lower(), word
    assert "Unweighted" not in found.text
    shown = [str(given["src"]) for tag, given in found.tags if tag == "img"]
    ends = {base64.b64decode(src.partition(",")[2])[len(PNG) :].decode() for src in shown}
    assert ends == {
        "regression",
        *(PICTURES[name] for name in ("clean", "extract", "wavelet", "clip", "curves")),
    }


@pytest.mark.parametrize("key", ["split", "folds"])
def test_one_protocol_of_a_regression_alone(project: Path, key: str) -> None:
    regress(project)
    found = told(project, regressed(folds=key == "folds", split=key == "split"))
    assert ("Mean over folds" in found.text) == ("Fold by fold" in found.text) == (key == "folds")
    assert ("One split into training" in found.text) == (key == "split")
    assert "The same on one 80/10/10 split" not in found.text
