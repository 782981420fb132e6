"""The page as the stage writes it."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.files import write_json
from facewave.report import __main__ as stage
from facewave.study import causal
from facewave.study.combination import COLUMNS as COMBINATION_COLUMNS
from facewave.study.online import COLUMNS as ONLINE_COLUMNS
from facewave.study.pseudo_labels import COLUMNS as PSEUDO_COLUMNS
from making import ABOUT
from making_results import (
    AUS,
    PICTURES,
    PLANE,
    PNG,
    answers,
    multitask,
    numbers,
    regress,
    regressed,
    report,
    runs,
    several,
    spoken,
    write,
)

VOID = {"meta", "img", "br", "link", "hr", "input"}
NASTY = "<script>alert('x')</script> & \"joy\""
RECOGNITION = ["what", "numbers", "good", "when", "why", "else", "doubt", "repeat"]
Attributes = dict[str, str]


@dataclass
class Page(HTMLParser):
    """What is in a page; its tags must be closed in the order in which they are opened.

    Attributes:
        tables: rows of cells by the captions' beginnings. Tags, notes and bars of a cell follow
            its text: "the text [tag] {note} |".
        bold: the texts of the cells that are the best of their column.
    """

    text: str = ""
    tags: list[tuple[str, Attributes]] = field(default_factory=list)
    styles: str = ""
    open: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    bold: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def of(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.tags if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: str(value) for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append((tag, attributes.get("class", "")))
        if attributes.get("role") == "region":
            self.rows = self.tables.setdefault(attributes["aria-label"], [])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        name, kind = self.open.pop()
        assert name == tag
        if tag == "td" and "best" in kind:
            self.bold.append(self.rows[-1][-1].partition("{")[0].strip())
        if tag == "i":
            self.rows[-1][-1] += "|"

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == [("style", "")]:
            self.styles += data
            return
        self.text += data
        names = [name for name, _ in self.open]
        if "td" in names or "th" in names:
            mark = {"note": " {%s}", "tag": " [%s]"}.get(self.open[-1][1], "%s")
            self.rows[-1][-1] += mark % data.strip() if data.strip() else ""

    def table(self, caption: str) -> list[list[str]]:
        """The rows below the head of the table whose caption contains this."""
        (rows,) = (rows for name, rows in self.tables.items() if caption in name and rows)
        return rows[1:]


def read(page: str) -> Page:
    reader = Page()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    reader.text = " ".join(reader.text.replace("\u00a0", " ").split())
    return reader


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project; the pictures of people are those that a test puts there."""
    folder = tmp_path_factory.mktemp("written")
    write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "draw", lambda *_: None)
        yield folder


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(written, tmp_path / "project"))


def made(project: Path) -> Page:
    """The page of a project."""
    with chdir(project):
        stage.main()
    return read((project / "metrics/report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return made(Path(shutil.copytree(written, tmp_path_factory.mktemp("page") / "project")))


def write_report(project: Path, content: dict[str, Any]) -> Page:
    """The page with another report.json."""
    write_json(project / "metrics/evaluate/report.json", content)
    return made(project)


def sections_of(page: Page) -> list[str]:
    """Their ids, as the page's own links have them."""
    links = [attributes["href"] for attributes in page.of("a")]
    ids = [attributes["id"] for attributes in page.of("section")]
    assert [link for link in links if link.startswith("#")] == [f"#{id}" for id in ids]
    return ids


def test_it_says_what_it_is_about_and_how_good_that_is(page: Page, project: Path) -> None:
    assert sections_of(page) == RECOGNITION
    titles = [
        *("What this is", "From clips to numbers", "How good, in detail", "When it is good"),
        *("Why", "What else was tried", "What failed or is doubtful", "How to repeat it"),
    ]
    assert re.search(".*".join(f"{i}{title}" for i, title in enumerate(titles, 1)), page.text)
    main = report()["tasks"]["classes"]["folds"]
    for text in (
        ABOUT,
        "The clips are synthetic.",
        "There are only 36 test clips. Too few to tell models apart that differ by less than 17",
        f"names the emotion of {100 * main['model']['war']:.1f} % of the test clips",
        "below each figure its 95 % interval, by bootstrap over subjects",
        "The same on one 80/10/10 split: 6 test clips; intervals over clips",
        "The label files have 39 rows; 36 are kept and 3 left out",
        "Of 40 clips, 37 can be used. 4,005 frames were looked at; 98.7 % of them show the face",
        "Of 36 clips, 35 have sound, 62 s in all. Half of these have speech in less than 15 %",
        "is condensed to K = 10 numbers",
        "so 4.5 become one; of a clip of 60 s, 180. 36 clips went through",
        "1 usable clip did not: the face is away for longer than 3 s",
        "These numbers are made to tell emotions apart",
        "By its validation clips one would choose approximation haar, K = 10, blendshapes, "
        "logistic regression: 60.0 % UAR",
        "The best on the test clips is dct, K = 10, blendshapes, logistic regression with 62.2 %. "
        "It is the best of 3 runs",
        "Guessing would give 33.3 % of each.",
        "Never found: neutral",
        "Person by person: 12 rows",
        "dvc repro",
        " ".join((project / "params.yaml").read_text("utf-8").split()),
    ):
        assert text in page.text, text
    words = ("WAR", "UAR", "Macro F1", "AUC", "ECE", "K", "Blendshape", "Pose-free", "Fold",
             "Bootstrap interval")  # fmt: skip
    for word in words:
        assert re.search(rf"{word}[A-Z0-9]", page.text), word  # its explanation follows
    before = page.text.split("All settings")[0]
    for word in ("language", "LoRA", "face token", "coverage"):
        assert word not in before


def cells(figures: dict[str, Any], name: str, bar: str = "|") -> str:
    """A figure with its interval as the page has it."""
    times, digits = (1, 2) if name in ("log_loss", "ccc", "pcc", "rmse", "mae") else (100, 1)
    known = [figures[name + end] for end in ("", "_low", "_high") if name + end in figures]
    value, *ends = (f"{times * number:.{digits}f}" for number in known)
    return f"{bar}{value} {{{' to '.join(ends)}}}" if ends else value


def test_tables_of_the_evaluation_and_the_first_stages(page: Page) -> None:
    main = report()["tasks"]["classes"]["folds"]
    shares, alone = ("war", "uar", "macro_f1", "auc"), ("log_loss", "calibration_error")
    assert page.table("Percent, log loss in nats. Mean over folds") == [
        [name, *(cells(main[role], m) for m in shares), *(cells(main[role], m, "") for m in alone)]
        for name, role in (
            ("MLP [the model]", "model"),
            ("majority class", "majority"),
            ("logistic regression", "logistic"),
        )
    ] + [["chance {guessing}", "", "33.3", *[""] * 4]]
    by_fold = page.table("The MLP in every fold")
    figures = main["model"]["fold"]["2"]
    absent = " {without " + ", ".join(main["absent"]) + "}" if main["absent"] else ""
    assert [row[:3] for row in by_fold] == [[f"fold {i}{absent}", "12", "33.3"] for i in (1, 2, 3)]
    assert by_fold[1][3:] == [cells(figures, name) for name in (*shares, *alone)]
    happy = page.table("Recall and F1 in percent")[0]
    model = main["model"]
    recall, f1 = (
        [100 * model[f"{name}{end}"]["happy"] for end in ("", "_low", "_high")]
        for name in ("recall", "f1")
    )
    named = sum(row[0] for row in model["confusion"])
    assert happy[0] == "happy"
    assert happy[2:] == [
        "|{:.1f} {{{:.1f} to {:.1f}}}".format(*recall),
        "{:.1f} {{{:.1f} to {:.1f}}}".format(*f1),
        *("12", str(named)),
    ]
    measured = page.table("All test clips pooled over folds")
    conditions = ["all", "yaw", "", "", "speech_share", ""]
    assert [row[0].partition(" {")[0] for row in measured] == conditions
    assert measured[1][0].startswith("yaw {degrees away from the camera")
    assert measured[4][0].startswith("speech_share {whether somebody speaks")
    speech = ["without speech", "with speech"]
    assert [row[1] for row in measured] == ["", "0 to 11°", "12 to 23°", "24 to 35°", *speech]
    assert [row[4] for row in measured] == ["36", "12", "12", "12", "12", "24"]
    assert "{" in measured[0][3]
    persons = page.table("An interval of one person")
    assert [row[1] for row in persons] == [f"s{i:02}" for i in range(12)]
    assert "{" not in persons[0][3]  # three clips have no interval
    assert page.table("The first 2 of 2")[0] == [
        "clips/0.mp4 {list.csv:2}", "happy", "sad", "12.5", "75.0",
    ]  # fmt: skip
    assert page.table("Rows that are left out") == [
        ["empty row", "list.csv: 91, 92", "2"],
        ["vote tie", "list.csv: 90", "1"],
    ]
    assert page.table("Clips that cannot be used") == [
        ["truncated: … of … frames can be decoded", "7, 8", "2"],
        ["no face in any frame", "9", "1"],
    ]
    assert page.tables["table"][1][1:] == ["1.5", "4.25", "9"]


def test_tables_of_the_study(page: Page) -> None:
    lost = page.table("median over 36 clips")
    assert lost == [
        ["approximation bior3.1 [used here]", "3.4", "0.5", "2.9", "68.0", "10.0", "58.0"],
        ["mean", *["100.0"] * 6],
    ]
    scores = ["|60.0 {50.0 to 70.0}", "|61.0 {51.5 to 71.0}"]
    assert page.table("The trained models on test clips with fewer frames") == [
        [condition, model, *scores]
        for condition in ("all frames", "50% removed")
        for model in ("MLP", "logistic regression")  # the majority class needs no frames
    ]
    leaking = page.table("Percent; chance is that of UAR.")
    assert [row[:2] for row in leaking] == [
        [model, folds]
        for model in ("MLP", "majority class", "logistic regression")
        for folds in ("no shared person", "drawn at random")
    ]
    assert leaking[1][3].startswith("|67.0")
    assert page.table("Blendshapes") == [
        ["mouthSmileLeft", "12.5 {10.0 to 15.0}"], ["jawOpen", "2.0 {-1.0 to 5.0}"],
    ]  # fmt: skip
    assert [row[0] for row in page.table("Parts of the clip")] == ["1 of 2", "2 of 2"]
    table = page.table("the highest of each column is bold")
    names = [
        "approximation haar",
        "approximation haar [chosen by validation]",
        "dct [best on test]",
    ]
    assert [row[0] for row in table] == names
    assert table[1][1:5] == ["10", "blendshapes", "logistic regression", "66.0"]
    assert page.bold == [*lost[0][1:], "|60.0", "66.0", "|60.0", "|60.0", "|62.2"]


def test_what_pseudo_labels_are_worth(page: Page, project: Path) -> None:
    assert "What are pseudo-labels worth?" not in page.text
    path = project / "metrics/study/summary.json"
    figures = {"war": 0.625, "war_low": 0.5, "war_high": 0.75, "uar": 0.6, "chance": 0.25}
    taught = {"track": "guesses", "by": "a model", "clips": 12, "n": 40}
    write_json(path, json.loads(path.read_text("utf-8")) | {"pseudo": taught | figures})
    rows = [{"track": "guesses", "confidence": name, "n": n, "share": n / 50, **figures}
            for name, n in (("all", 40), ("0.8 to 1", 30))]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=list(PSEUDO_COLUMNS))
    table.to_csv(project / "metrics/study/pseudo.csv", index=False)
    found = made(project)
    assert "may teach with an answer of track guesses (a model)" in found.text
    assert [row[:4] for row in found.table("Pseudo-labels of track guesses against")] == [
        ["all", "40", "80.0", "|62.5 {50.0 to 75.0}"],
        ["0.8 to 1", "30", "60.0", "|62.5 {50.0 to 75.0}"],
    ]


def test_what_the_mouth_is_worth(page: Page, project: Path) -> None:
    path = project / "metrics/study/speaking.csv"
    assert (
        "The mouth helps: with its channels the MLP has 61.0 % UAR, without them 50.0 %, a "
        "difference of 11.0 points (95 % interval 2.0 to 20.0, p = 0.021). It is 21.0 points "
        "(95 % interval 10.0 to 30.0, p = 0.004) on clips without speech and -1.5 points (95 % "
        "interval -10.0 to 5.0, p = 0.700) on clips with speech."
    ) in page.text
    caption = "UAR of MLP with all 52 channels of its inputs, and without the 27 of the mouth"
    rows = page.table(caption)
    assert [row[:2] for row in rows] == [
        ["all", "36"], ["without speech", "12"], ["with speech", "24"],
    ]  # fmt: skip
    assert rows[2][2:] == [
        "|61.0 {50.0 to 70.0}", "|62.5 {40.0 to 65.0}", "-1.5 {-10.0 to 5.0}", "0.700",
    ]  # fmt: skip
    table = pd.read_csv(path)
    ends = {"difference": -0.1, "difference_low": -0.2, "difference_high": 0.01, "p": 0.08}
    table.head(1).assign(measure="ccc", **ends).to_csv(path, index=False)
    found = made(project)
    assert (
        "Whether the mouth helps cannot be told from these clips: with its channels" in found.text
    )
    assert "has 0.61 mean CCC, without them 0.50, a difference of -0.10 (95 %" in found.text
    section = found.text.partition("Does speaking get in the way?")[2].partition("Frames")[0]
    assert "Whether it is less where people speak cannot be told: as far as" in section
    assert "It is" not in section
    assert [row[2:4] for row in found.table("mean CCC of MLP with all 52")] == [
        ["0.61 {0.50 to 0.70}", "0.50 {0.40 to 0.65}"]
    ]
    table.head(0).to_csv(path, index=False)
    assert "Does speaking get in the way" not in made(project).text


def test_models_together_and_while_a_video_runs(page: Page, project: Path) -> None:
    for absent in ("Several models as one", "While the video runs"):
        assert absent not in page.text
    shared = {"n": 60, "groups": 12, "folds": 2, "chance": None}

    def row(measure: str, figure: float, better: float | None, **named: Any) -> dict[str, Any]:
        ends = {"figure": figure, "low": figure - 0.1, "high": figure + 0.1}
        of_pair = {"difference": better, "p": None} if better is None else {
            "difference": better, "difference_low": better - 0.02, "difference_high": better + 0.02,
            "p": 0.012}  # fmt: skip
        chance = {"chance": 1 / 3} if measure == "uar" else {}
        return shared | {"measure": measure} | ends | chance | of_pair | named

    both = [("macro_f1", 0.0), ("uar", 0.05)]
    against = {"against": "resnet18 (1 of 2), mlp (1 of 2)"}
    ways = [("resnet18", "", 0.5), ("best member", "", 0.55), ("ensemble", "mean", 0.6),
            ("ensemble", "vote", 0.5)]  # fmt: skip
    combined = [
        row(measure, figure + more, None if kind == "best member" else figure - 0.55,
            model=kind, by=by, validation=0.7, **({} if kind == "best member" else against))
        for kind, by, figure in ways for measure, more in both
    ]  # fmt: skip
    over_time = [("each moment alone", "", 0.4, -0.3), ("online", "0.5, 1", 0.6, -0.1),
                 ("offline", "0.5, 1", 0.7, None)]  # fmt: skip
    timed = [
        row(measure, figure + more, better, role="model", model="ensemble", way=way, width_s=width)
        for way, width, figure, better in over_time for measure, more in both
    ]  # fmt: skip
    for name, rows, columns in (
        ("combination", combined, COMBINATION_COLUMNS),
        ("online", timed, ONLINE_COLUMNS),
    ):
        table = pd.DataFrame(rows).reindex(columns=list(columns))
        table.to_csv(project / f"metrics/study/{name}.csv", index=False)
    found = made(project)
    assert (
        "Together the members are better than the best of them. By mean they have 60.0 % macro "
        "F1, the member that validation would choose (resnet18 (1 of 2), mlp (1 of 2)) has "
        "55.0 %: 5.0 points (95 % interval 3.0 to 7.0, p = 0.012)." in found.text
    )
    table = found.table("Differences are to the member that is best on validation")
    assert len(table) == 8
    assert table[0][0].startswith("resnet18 {macro F1 on validation 70.0}")
    assert [cell[0] for cell in table[4::2]] == [
        "together: mean {macro F1 on validation 70.0}",
        "together: vote {macro F1 on validation 70.0}",
    ]
    assert table[2][4:] == ["-", "-"]
    assert table[5][3].startswith("33.3")
    assert "Answers at once are worse. Offline macro F1 is 70.0 %, online 60.0" in found.text
    table = found.table("Of ensemble to 60 moments")
    assert [cell[0] for cell in table[::2]] == [
        "each moment alone", "online {over 0.5, 1 s}", "offline {over 0.5, 1 s}"]  # fmt: skip


def test_what_numbers_that_know_no_future_cost(page: Page, project: Path) -> None:
    assert "Numbers that know no future" not in page.text
    rows: list[dict[str, Any]] = []
    for n, (learnt, by, window) in enumerate(causal.WAYS):
        shared = {"role": "model", "model": "mlp", "learnt_from": learnt, "numbers": by,
                  "window": window, "window_s": 1.62, "delay_s": 0.81,
                  "slowest_s": 1.62 if n else 0.81, "n": 60, "groups": 12, "folds": 2}  # fmt: skip
        for measure, figure in (("war", 0.7), ("uar", 0.6)):
            figures = {"figure": figure - n / 20, "low": figure - 0.2, "high": figure + 0.1}
            of_pair = {"difference": -n / 20, "difference_low": -n / 20 - 0.12, "p": 0.03,
                       "difference_high": -n / 20 + 0.12, "agree": 0.9 - n / 10}  # fmt: skip
            rows.append(shared | {"measure": measure} | figures | (of_pair if n else {}))
    distances = [
        {"window": causal.CLIP, "window_s": 1.62, "block": "blendshapes", "number": name, "n": 58,
         "distance": distance, "delay_s": late}
        for name, distance, late in (("mean", 0.002, 0.81), ("octave 1", 0.14, 1.62))
    ]  # fmt: skip
    tables = {"causal": (rows, causal.COLUMNS), "causal_numbers": (distances, causal.NUMBERS)}
    for name, (lines, columns) in tables.items():
        table = pd.DataFrame(lines).reindex(columns=list(columns))
        table.to_csv(project / f"metrics/study/{name}.csv", index=False)
    found = made(project)
    assert (
        "By the numbers of whole clips the MLP has 60.0 % UAR. By those of the past alone, at the "
        "last frame and over a window as long as the clip, it has 50.0 %, and whether that is "
        "worse cannot be told from these clips: -10.0 points (95 % interval -22.0 to 2.0, p = "
        "0.030). Over a window of 1.62 s for all clips it has 45.0 %, which is worse: -15.0 points "
        "(95 % interval -27.0 to -3.0, p = 0.030); by the offline numbers of the last 1.62 s it "
        "has 55.0 %. If it learns from causal numbers, it has 40.0 % and 35.0 %. The word is that "
        "of the offline way in 70 % and 60 % of the clips. What the "
        "mean tells is 0.81 s old on average over a window of 1.62 s, what the slowest octave "
        "tells 1.62 s. The clips are synthetic: of real faces this says nothing." in found.text
    )
    table = found.table("Of MLP to 60 test clips")
    assert len(table) == 12
    assert [row[0] for row in table[::4]] == [
        "offline numbers",
        "offline numbers",
        "causal numbers",
    ]
    assert table[3][1:4] == ["", "UAR", "|55.0 {40.0 to 70.0}"]
    assert table[2][5:] == ["-5.0 {-17.0 to 7.0}", "0.030", "80.0"]
    assert found.table("How far causal numbers are from offline ones")[1] == [
        "", "blendshapes", "octave 1", "14.0", "1.62"]  # fmt: skip


def pictures_of(page: Page) -> set[str]:
    """What is written behind their ends; each has words for those who cannot see it."""
    shown = page.of("img")
    assert all(image["alt"] and (image["width"], image["height"]) == ("3", "2") for image in shown)
    contents = [base64.b64decode(image["src"].partition(",")[2]) for image in shown]
    return {content.removeprefix(PNG).decode() for content in contents}


def test_it_is_whole_in_itself_and_links_go_to_files_that_stages_write(page: Page) -> None:
    assert pictures_of(page) == set(PICTURES.values())
    loading = ("src", "href", "srcset", "data", "action", "poster", "background")
    for value in [at[name] for _, at in page.tags for name in loading if name in at]:
        assert value.startswith(("data:image/png", "#")) or not re.match(r"[\w+.-]*:|/", value)
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import", page.styles)
    policy = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert {at["href"] for at in page.of("a") if not at["href"].startswith("#")} == {
        "extract/demo.csv",
        "evaluate/suspects.csv",
        "evaluate/report.json",
        "../data/answers/answers.csv",
        "study/runs.csv",
    }
    assert "@media print" in page.styles
    assert any(attributes.get("name") == "viewport" for attributes in page.of("meta"))


def test_peoples_texts_are_never_markup_and_the_same_files_give_the_same_bytes(
    project: Path,
) -> None:
    metrics = project / "metrics"
    columns = ("file_path", "actual", "suggested", "table", "range", "name", "condition",
               "transform", "contender", "together", "target", "way", "clips")  # fmt: skip
    for path in (*metrics.rglob("*.json"), *metrics.rglob("*.csv"), project / "params.yaml"):
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            for word in ("happy", ABOUT, "vote tie", "no face in any frame", "dct", "list.csv"):
                text = text.replace(word, json.dumps(f"{word} {NASTY}")[1:-1])
        elif path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            texts = table.columns.intersection(list(columns))
            table[texts] = table[texts].apply(lambda column: column + f" {NASTY}")
            text = table.to_csv(index=False)
        else:
            text = text.replace(ABOUT, json.dumps(f"{ABOUT} {NASTY}"))
        path.write_text(text, "utf-8")
    page = made(project)
    first = (project / "metrics/report.html").read_bytes()
    assert not page.of("script")
    for word in (ABOUT, "happy", "vote tie", "no face in any frame", "clips/0.mp4", "s00",
                 "jawOpen", "50% removed", "dct", "list.csv", "bior3.1", "valence + arousal",
                 "regressed and cut"):  # fmt: skip
        assert f"{word} {' '.join(NASTY.split())}" in page.text, word
    made(project)
    assert (project / "metrics/report.html").read_bytes() == first


def test_what_is_missing_damaged_or_about_another_dataset_is_named(project: Path) -> None:
    metrics = project / "metrics"
    files = {
        **{f"{name}/demo.json": f"{name}@demo" for name in ("clean", "extract", "wavelet")},
        **dict.fromkeys(("evaluate/report.json", "evaluate/suspects.csv"), "evaluate"),
        **dict.fromkeys(("study/summary.json", "study/runs.csv", "study/importance.csv"), "study"),
    }
    for name, command in files.items():
        content = (metrics / name).read_bytes()
        (metrics / name).unlink()
        with pytest.raises(UserError) as raised:
            made(project)
        assert str(raised.value) == f"metrics/{name} is missing. Make it with: dvc repro {command}"
        (metrics / name).write_bytes(content)
    for name in ("evaluate/report.json", "study/summary.json"):
        content = (metrics / name).read_bytes()
        write_json(metrics / name, json.loads(content) | {"dataset": "mafw: films"})
        folder = name.partition("/")[0]
        with pytest.raises(UserError, match=rf"{folder} is about 'mafw: films'.*{folder}$"):
            made(project)
        (metrics / name).write_bytes(content)
    half = (metrics / "clean/demo.json").read_text("utf-8")[:40]
    (metrics / "clean/demo.json").write_text(half, "utf-8")
    with pytest.raises(UserError, match=r"clean/demo\.json is not readable JSON.*clean@demo"):
        made(project)
    assert not (metrics / "report.html").exists()


def test_what_is_missing_is_mentioned(project: Path) -> None:
    metrics = project / "metrics"
    for path in PICTURES.values():
        (metrics / path).unlink()
    (metrics / "study/leakage.csv").write_text("\n", "utf-8")  # as an empty table is written
    for name in ("study/importance", "evaluate/suspects", "study/reconstruction"):
        head = (metrics / f"{name}.csv").read_text("utf-8").splitlines()[0]
        (metrics / f"{name}.csv").write_text(head + "\n", "utf-8")
    summary = json.loads((metrics / "study/summary.json").read_text("utf-8"))
    del summary["leakage"]
    write_json(metrics / "study/summary.json", summary)
    extract = json.loads((metrics / "extract/demo.json").read_text("utf-8"))
    extract |= {"measures": {}, "left_out": {}, "usable": 40}
    write_json(metrics / "extract/demo.json", extract)
    for file in (*metrics.rglob("*.json"), project / "params.yaml"):  # of real people
        file.write_text(file.read_text("utf-8").replace(ABOUT, "acted"), "utf-8")
    page = made(project)
    assert not page.of("img") + page.of("figure")
    for text in (
        "There is no picture of the classes.",
        "There are no curves of what is lost.",
        "There is no picture of a clip: no test clip shows a usable face.",
        "There is no picture of the confusion.",
        "There are no learning curves: this model is not trained in epochs.",
        "There is no picture of what the probabilities are worth.",
        "There is no picture of the scores by conditions.",
        "There is no picture of clips with frames taken away.",
        "There is no picture of the runs.",
        "This cannot be measured: no two clips are known to share a person or source",
        "It was not measured: no test clip shows a usable face.",
        "What is lost was not measured",
        "The models doubt no label.",
    ):
        assert text in page.text, text
    missing = [attributes for _, attributes in page.tags if attributes.get("class") == "missing"]
    assert len(missing) == 13
    for text in ("may be wrong", "How good the clips are", "synthetic"):
        assert text not in page.text.split("All settings")[0]
    assert "acted" in page.text


def test_without_runs_the_page_says_why(project: Path) -> None:
    study = project / "metrics/study"
    summary = json.loads((study / "summary.json").read_text("utf-8"))
    of_runs = ("chosen_by_validation", "chosen_by_each_fold", "best_on_test")
    kept = {name: value for name, value in summary.items() if name not in of_runs}
    write_json(study / "summary.json", kept | {"runs": 0})
    (study / "runs.csv").write_text("transform,k,inputs,model\n", "utf-8")
    assert "No classifiers were compared: no training clip is usable" in made(project).text


def test_one_protocol_alone(project: Path) -> None:
    rows = {"split": answers(("split",), 2), "folds": answers()}
    pages = {key: write_report(project, report(**{key: rows[key]})) for key in rows}
    regress(project)
    both = {"split": numbers(("split",), 4), "folds": numbers()}
    pages |= {f"{key} ": write_report(project, regressed(**{key: both[key]})) for key in both}
    for key, page in pages.items():
        in_folds = key.strip() == "folds"
        assert ("Mean over folds" in page.text) == ("Fold by fold" in page.text) == in_folds
        assert ("One split into training" in page.text) != in_folds
        assert "The same on one 80/10/10 split" not in page.text


def test_published_figures_training_what_a_budget_leaves_out_and_what_the_corpus_knows(
    project: Path, page: Page
) -> None:
    for absent in ("Beside published", "WAR in training", "train.budget", "What the corpus knows"):
        assert absent not in page.text.split("All settings")[0]
    lines = pd.read_csv(project / "metrics/evaluate/robustness.csv")
    sexes = lines.head(2).assign(condition="sex", range=["female", "male"])
    pd.concat([lines, sexes]).to_csv(project / "metrics/evaluate/robustness.csv", index=False)
    content = report()
    rows = [
        {"method": NASTY, "inputs": "video", "source": "a paper", "war": 60.2, "uar": None,
         "macro_f1": None, "chosen": "on test", "differs": ["classes 7", "folds a"]}
    ]  # fmt: skip
    content["tasks"]["classes"]["published"] = {"here": "3 classes", "rows": rows}
    shares = {"train": {"war": 0.99, "uar": 0.985}, "val": {"war": None, "uar": None}}
    content["tasks"]["classes"]["folds"]["model"] |= {
        "fitted": shares,
        "left_out": {"happy": 1200, "sad": 3},
    }
    found = write_report(project, content)
    own, other = found.table("Here: 3 classes. Selected on: what")
    assert own[0].endswith("[the model]")
    assert own[1] == cells(content["tasks"]["classes"]["folds"]["model"], "war")
    assert other[0] == f"{NASTY} {{video; a paper}}"
    assert other[1:] == ["60.2", "-", "-", "on test", "classes 7, folds a"]
    ((_, *figures),) = found.table("A figure in training far above")
    test = [
        cells(content["tasks"]["classes"]["folds"]["model"], name).split(" ")[0]
        for name in ("war", "uar")
    ]
    assert [figure.split(" ")[0].strip("|") for figure in figures] == [
        *("99.0", "-", test[0].strip("|")),
        *("98.5", "-", test[1].strip("|")),
    ]
    assert "leaves out happy (1,200), sad (3)." in found.text
    assert [row[:2] for row in found.table("By what the corpus knows")] == [
        ["sex", "female"],
        ["", "male"],
    ]


def test_long_tables_are_folded_away_or_only_named(project: Path, page: Page) -> None:
    assert "All 3 runs" not in page.text
    pd.concat([runs()] * 14).to_csv(project / "metrics/study/runs.csv", index=False)
    path = project / "metrics/evaluate/robustness.csv"
    lines = pd.read_csv(path)
    subjects = lines[lines["condition"] == "subject"]
    pd.concat([lines, *[subjects] * 16]).to_csv(path, index=False)
    path = project / "metrics/evaluate/suspects.csv"
    suspects = pd.read_csv(path).astype({"row": float})  # as a column with missing numbers has it
    suspects["file_path"] = "NA\u2028null"  # a name, whatever it looks like
    pd.concat([suspects] * 30).to_csv(path, index=False)
    for name in ("leakage", "suspects"):
        (project / "metrics" / PICTURES[name]).unlink()
    found = made(project)
    assert "There is no picture of it." in found.text
    assert "There is no picture of them." in found.text
    assert "All 42 runs" in found.text
    assert "person by person: 204 rows" in found.text
    assert "s11" not in found.text
    listed = found.table("The first 20 of 60")
    assert (len(listed), listed[0][0]) == (20, "NA\u2028null {list.csv:2}")


def test_the_templates_are_shipped_with_the_package() -> None:
    root = Path(__file__).parents[3]
    patterns = re.search(
        r"^facewave = (\[.*\])$", (root / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert patterns is not None
    package = root / "src/facewave"
    shipped = {path for pattern in json.loads(patterns[1]) for path in package.glob(pattern)}
    room = (package / "report").iterdir()
    assert {path for path in room if path.suffix in (".css", ".j2")} <= shipped


def test_a_language_models_page_says_how_it_was_prompted(project: Path) -> None:
    page = write_report(project, spoken(9, answers="generation", transcript="known", frames=3))
    assert sections_of(page) == RECOGNITION
    for text in (
        "A language model is shown 3 frames and what is said and these numbers and asked for",
        "The tiny SmolVLM names the emotion of",
        "<face> stands for 12 face tokens; the dots for what is said in it.",
        "The face: <face>. Which of <b>?",  # markup in a prompt is its text
        "9 of 36 (25.0 %) cannot be read",
        "The rest of this section is about classifiers only",
        "is not measured for a language model",
        "It gives none: what the language model writes counts as certain",
        "LoRA",
    ):
        assert text in page.text, text
    alts = [image["alt"] for image in page.of("img")]
    assert "Loss in training and validation over steps" in alts
    assert "over epochs" not in str(alts)
    path = project / "metrics/study/language.csv"
    row = {"model": "tiny-smolvlm", "shuffled": False, "n": 36, "figure": 0.5, "low": 0.4,
           "high": 0.6}  # fmt: skip
    told = {"against": "frames", "difference": 0.25, "p": 0.01}
    ways = [
        row | {"way": "frames", "measure": "war"},
        row | {"way": "face_tokens", "shuffled": True, "measure": "war", "figure": 0.75} | told
        | {"difference_low": -0.1, "difference_high": 0.6},
        row | {"way": "face_tokens", "measure": "uar", "chance": 0.25} | told
        | {"difference_low": 0.1, "difference_high": 0.4, "against": "face_tokens, shuffled"},
    ]  # fmt: skip
    pd.DataFrame(ways).reindex(columns=pd.read_csv(path).columns).to_csv(path, index=False)
    (project / "metrics" / PICTURES["curves"]).unlink()
    path = project / "metrics/study/removed.csv"
    rows = pd.read_csv(path)
    rows[rows["role"] == "majority"].to_csv(path, index=False)
    untrained: dict[str, Any] = {"mode": "zero_shot", "trained": 0, "lora": None}
    page = write_report(project, spoken(**untrained, face_tokens=0, adapter=None))
    first, shuffled, uar = page.table(
        "What a language model is told of a face, on the same 36 clips"
    )
    assert first == ["frames", "WAR", "|50.0 {40.0 to 60.0}", "", "", "", "", ""]
    assert (shuffled[0], shuffled[4], shuffled[-1]) == (
        *("face tokens, shuffled", "frames", "cannot be told"),
    )
    assert uar[:2] + uar[3:] == [
        *("face tokens", "UAR", "25.0", "face tokens, shuffled", "25.0 {10.0 to 40.0}", "0.010"),
        "better",
    ]
    for text in (
        "Each was trained once",
        "Nothing of it was trained here.",
        "There are no learning curves: the language model was not trained.",
        "The model says how probable its answer is.",
    ):
        assert text in page.text, text
    plain = page.text.replace("The face: <face>", "")
    for text in ("are trained", "<face>", "cannot be read", "these numbers and asked",
                 "with fewer frames; percent"):  # fmt: skip
        assert text not in plain, text


def test_a_regressions_page(project: Path) -> None:
    regress(project)
    page = made(project)
    assert sections_of(page) == RECOGNITION
    for text in (
        "how high are valence and stress of a person",
        "The tiny SmolVLM gives valence with a CCC of 0.0",
        "stress with a CCC of 1.00 (95 % interval 1.00 to 1.00)",
        "36 test clips, those that have any of the targets",
        "The same on one 80/10/10 split: 12 test clips",
        "Asking the language model",
        "CCCConcordance",
        "dvc exp run -S train.language.lr",
    ):
        assert text in page.text, text
    before = page.text.split("All settings")[0].lower()
    for word in ("uar", " war", "emotion by emotion", "recall",
                 "labels to look at", "emotion counts"):  # fmt: skip
        assert word not in before, word
    assert pictures_of(page) == {
        *("regression", "coverage"),
        *(PICTURES[name] for name in ("clean", "extract", "reconstruction", "clip", "curves")),
    }
    main = regressed()["tasks"]["numbers"]["folds"]
    table = page.table("Mean over folds")
    assert [row[:2] for row in table] == [
        [first, kind]
        for target in ("valence {36 clips}", "stress {36 clips}", "mean")
        for first, kind in ((target, "tiny SmolVLM [the model]"), ("", "constant answer"))
    ]
    valence = main["model"]["valence"]
    assert table[0][2:] == [
        *(cells(valence, name, "") for name in ("ccc", "pcc", "rmse", "mae")),
        cells(valence, "sagr"),
    ]
    assert table[1][3] == "-"  # a constant has no correlation
    by_fold = page.table("The tiny SmolVLM in every fold")
    assert [row[:3] for row in by_fold[2:4]] == [["", "fold 3", "12"], ["stress", "fold 1", "12"]]
    assert by_fold[2][5] == f"{main['model']['fold']['3']['valence']['rmse']:.2f}"


def test_a_page_of_several_tasks_has_every_figure_of_the_record(project: Path, page: Page) -> None:
    """Each task has a sentence, tables and pictures of its own, numbered as its section."""
    content = report(multitask(), split=several(("split",), 4), folds=several())
    plots = project / "metrics/evaluate/plots"
    names = ["plane", "regions", "coverage", "units"]
    names += [f"robustness_{key}" for key in ("quadrant", "numbers", "aus")]
    for name in names:
        (plots / f"{name}.png").write_bytes(PNG + name.encode())
    found = write_report(project, content)
    further = ["good", "good-2", "good-3", "good-4"]
    assert sections_of(found) == [*RECOGNITION[:2], *further, *RECOGNITION[3:]]
    assert set(names) < pictures_of(found)
    tasks = {key: of["folds"] for key, of in content["tasks"].items()}
    words, numbers, units = (tasks[key]["model"] for key in ("quadrant", "numbers", "aus"))
    for text in (
        f"The MLP names the quadrant of {100 * words['war']:.1f} % of the test clips",
        f"valence with a CCC of {numbers['valence']['ccc']:.2f} (95 % interval",
        f"with a mean F1 of {100 * units['mean']['f1']:.1f} % (95 % interval",
        "facewave compare model logistic",
        "Quadrant: Fewer than 20 test clips",
    ):
        assert text in found.text, text
    measured = ("ccc", "pcc", "rmse", "mae")
    rows = found.table("Valence and arousal. CCC and PCC go")
    assert [row[0] for row in rows] == [
        "valence {30 clips}",
        "",
        "arousal {36 clips}",
        "",
        "mean",
        "",
    ]
    for row, target in zip(rows[::2], (*PLANE, "mean"), strict=True):
        figures = numbers[target]
        assert row[2:] == [*(cells(figures, name, "") for name in measured), cells(figures, "sagr")]
    rows = found.table("How often the actual number")
    assert [row[1:3] for row in rows] == [
        ["90.0", cells(numbers[target], "coverage")] for target in (*PLANE, "mean")
    ]
    for row, unit in zip(found.table("Percent, of the MLP"), (*AUS, "mean"), strict=True):
        assert row[:3] == [unit, cells(units[unit], "f1"), cells(units[unit], "auc")]
    in_folds = numbers["fold"]["2"]["arousal"]
    (row,) = [row for row in found.table("; SAGR in percent") if row[:2] == ["", "fold 2"]][1:2]
    assert row[2:4] == [str(numbers["fold"]["2"]["known"]["arousal"]), f"{in_folds['ccc']:.2f}"]
    # The study's questions, whatever the tasks are.
    for one in (page, found):
        alone, together = one.table("Of MLP; shares in percent")
        assert alone[:4] == ["valence", "valence", "CCC", "0.50 {0.40 to 0.70}"]
        assert together[1] == "valence + arousal {against valence}"
        assert together[5:] == ["0.08 {0.01 to 0.15}", "0.012", "better"]
        assert "cannot be told from these clips" in one.text
        assert (
            "Four classes have 55.0 % UAR, regressed and cut it is 50.0 %: -5.0 points" in one.text
        )
        assert one.table("Both ways of MLP")[1][4] == "-5.0 {-10.0 to 2.0}"
        assert one.table("Of MLP, on the same clips")[0][3:5] == [
            "0.50 {0.40 to 0.70}", "0.58 {0.40 to 0.70}",
        ]  # fmt: skip
