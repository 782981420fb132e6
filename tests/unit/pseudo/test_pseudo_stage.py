"""Stage pseudo, as a command: what it reads, chooses and writes, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.files import sha256, write_csv, write_json
from facewave.labels import schema as labels
from facewave.pseudo import schema, tracks
from facewave.pseudo.__main__ import main
from facewave.workspace import PSEUDO, Dataset
from making import contents, toy, trajectory, write_landmarks, write_params, write_toy

TRACK = Path("data/tracks/demo/guesses.csv")
ABOUT = {"by": "somebody", "lineage": {}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Toy data with a track "guesses" that calls every clip sad, two of them without a label."""
    made = toy()
    write_toy(tmp_path, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(tmp_path, {name: trajectory(3, seed=1) for name in names})
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data/labels/demo.csv"
    table = labels.read(path)
    table.loc[1, "actual"] = ""
    labels.write(path, table, labels.read_words(path))
    ask()
    keys = {name: f"key-{name}" for name in names}
    rows = table[["video_idx", "file_path"]].assign(key=table["video_idx"].map(keys))
    rows = rows.assign(predicted="sad", confidence=0.75, source="somebody", origin="answer")
    write_csv(TRACK, rows)
    write_json(TRACK.with_suffix(".json"), ABOUT)
    return tmp_path


def ask(**changes: Any) -> None:
    train = {"partitions": ["split", 1, 2]}
    write_params(Path(), pseudo={"track": "guesses"} | changes, train=train)


def change(**columns: Any) -> None:
    rows = pd.read_csv(TRACK, dtype=str, keep_default_na=False)
    write_csv(TRACK, rows.assign(**columns))


def test_clips_without_a_label_teach_and_the_others_tell_what_that_is_worth(project: Path) -> None:
    main()
    made = schema.read(PSEUDO)
    table = labels.read(Path("data/labels/demo.csv")).set_index("video_idx")
    assert set(made.labels["word"]) == {"sad"}
    assert made.labels.index.tolist() == ["undecided", table.index[1]]
    assert (made.track, made.by, dict(made.lineage)) == ("guesses", "somebody", {})
    assert made.known["video_idx"].tolist() == table.index[2:].tolist()
    assert made.known["actual"].tolist() == table["actual"][2:].tolist()
    counts = json.loads(Path("metrics/pseudo.json").read_text("utf-8"))
    assert (counts["answers"], counts["teaching"], counts["known"]) == (2, 2, len(made.known))
    assert counts["words"]["sad"]["teaching"] == 2
    before = contents(PSEUDO) | contents(Path("metrics"))
    main()
    assert contents(PSEUDO) | contents(Path("metrics")) == before


def test_clips_of_other_words_do_not_teach_and_those_learnt_from_do_not_measure(
    project: Path,
) -> None:
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    table.loc[0, "excluded"] = str(labels.Reason.NOT_CHOSEN)
    labels.write(path, table, labels.read_words(path))
    learnt = [f"key-{table['video_idx'][2]} 0 nan"]
    write_json(TRACK.with_suffix(".json"), ABOUT | {"lineage": {"learnt": learnt}})
    main()
    made = schema.read(PSEUDO)
    assert made.labels.index.tolist() == [table["video_idx"][1]]
    assert made.known["video_idx"].tolist() == table["video_idx"].tolist()[3:]
    assert made.lineage == {"learnt": learnt}


def test_clips_that_no_partition_trains_on_take_no_other_s_place(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    for split, partitions, taught in (
        ("train", ["split"], ["undecided", table["video_idx"][1]]),
        ("val", ["split"], ["undecided"]),
        ("test", ["split"], ["undecided"]),
        ("", ["split", 1, 2], ["undecided"]),
        ("test", ["split", 1, 2], ["undecided", table["video_idx"][1]]),
    ):
        table.loc[:1, "split"] = ["train", split]
        labels.write(path, table, labels.read_words(path))
        write_params(Path(), pseudo={"track": "guesses"}, train={"partitions": partitions})
        main()
        assert schema.read(PSEUDO).labels.index.tolist() == taught
        counts = json.loads(Path("metrics/pseudo.json").read_text("utf-8"))
        assert counts["answers"] == counts["teaching"] == len(taught)
        assert ("1 answer is to a clip that no partition trains on" in capsys.readouterr().out) == (
            len(taught) == 1
        )


def test_what_voters_answer_of_known_clips_is_kept_beside_the_vote(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vote = {}
    for name, word in (("one", "sad"), ("two", "happy")):
        shutil.copy(TRACK.with_suffix(".json"), TRACK.with_name(f"{name}.json"))
        rows = pd.read_csv(TRACK, dtype=str, keep_default_na=False)
        write_csv(TRACK.with_name(f"{name}.csv"), rows.assign(predicted=word))
        vote[name] = sha256(TRACK.with_name(f"{name}.csv"))
    learnt = [f"key-{labels.read(Path('data/labels/demo.csv'))['video_idx'][2]} 0 nan"]
    about = {"vote": vote, "lineage": {"learnt": learnt}, "unknown": ["api.csv"]}
    write_json(TRACK.with_suffix(".json"), ABOUT | about)
    main()
    made = schema.read(PSEUDO)
    of_track = dict(list(made.known.groupby("track", sort=False)))
    assert list(of_track) == ["guesses", "one", "two"]
    assert set(of_track["two"]["predicted"]) == {"happy"}
    clips = {tuple(known["video_idx"]) for known in of_track.values()}
    assert len(clips) == 1  # those from which nobody behind the vote learnt
    assert made.unknown == ["api.csv"]
    assert not made.is_lineage_known
    counts = json.loads(Path("metrics/pseudo.json").read_text("utf-8"))
    assert counts["known"] == len(of_track["guesses"])
    TRACK.with_name("one.csv").unlink()
    write_csv(TRACK.with_name("two.csv"), rows)
    main()
    assert set(schema.read(PSEUDO).known["track"]) == {"guesses"}
    assert capsys.readouterr().out.count("is not what voted") == 2


def test_without_a_track_nothing_teaches(project: Path) -> None:
    ask(track="none")
    shutil.rmtree("data/tracks")
    main()
    made = schema.read(PSEUDO)
    assert (len(made.labels), len(made.known), made.track) == (0, 0, "none")
    assert json.loads(Path("metrics/pseudo.json").read_text("utf-8"))["teaching"] == 0


def test_mistakes_get_a_sentence(project: Path) -> None:
    def refused(match: str, **columns: Any) -> None:
        before = TRACK.read_bytes()
        change(**columns)
        with pytest.raises(UserError, match=match):
            main()
        TRACK.write_bytes(before)

    refused("clip undecided has a word that is none of happy, .*'bliss'", predicted="bliss")
    refused("has a number that is no share of 1", confidence="75")
    refused("has a number that is no share of 1", confidence="high")
    refused("has an unknown origin", origin="elsewhere")
    refused("has no word", predicted="")
    refused(r"guesses\.csv is about other clips than", key="another")
    ask(confidence=0.5)
    refused("nobody knows how sure the answers of track guesses are", confidence="")
    ask(track="guesess")
    refused("no track 'guesess' of demo; there are guesses. Make it with: facewave pseudo-label")
    ask(track="captions")
    write_csv(Path("data/tracks/demo/captions.csv"),
              pd.read_csv(TRACK, dtype=str)[tracks.CLIP].assign(text="a face"))  # fmt: skip
    write_json(Path("data/tracks/demo/captions.json"), {})
    refused("is no track of pseudo-labels: it has no column 'predicted'")
    ask()
    TRACK.with_suffix(".json").unlink()
    refused("says who made the track, is missing or damaged")
    shutil.rmtree("data/tracks")
    with pytest.raises(UserError, match="no track 'guesses' of demo; there is none"):
        main()


def test_a_file_is_answered_again_as_a_whole_where_one_of_its_rows_is_missing(
    project: Path,
) -> None:
    dataset = Dataset("demo", params.load())
    clips = tracks.keyed(labels.with_trajectories(dataset.read_labels()), dataset)
    clips.loc[:3, "file_path"] = "film.mp4"
    asked: list[list[str]] = []

    def answer(missing: pd.DataFrame) -> Any:
        asked.append(missing["video_idx"].tolist())
        yield missing[tracks.CLIP].assign(text="x")

    for unit in ("file_path", "video_idx"):
        tracks.fill(dataset, unit, {}, clips, answer, unit=unit)
        path = tracks.path_of(dataset, unit)
        rows = pd.read_csv(path, dtype=str)
        write_csv(path, rows.drop(2))
        tracks.fill(dataset, unit, {}, clips, answer, unit=unit)
        pd.testing.assert_frame_equal(pd.read_csv(path, dtype=str), rows)
    names = clips["video_idx"].tolist()
    assert asked == [names, names[:4], names, [names[2]]]


def test_what_is_missing_or_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels\.csv is not here\. Make it with: dvc repro ps"):
        schema.read(tmp_path)
    schema.write(tmp_path, schema.NOTHING)
    assert len(schema.read(tmp_path).labels) == 0
    for name, content in (("config.json", "{}"), ("known.csv", "a,b\n1,2\n"), ("labels.csv", "\0")):
        schema.write(tmp_path, schema.NOTHING)
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match="is damaged"):
            schema.read(tmp_path)
