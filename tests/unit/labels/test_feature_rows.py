"""Datasets whose clips are rows of a table of features, or another tool's files: their labels."""

from pathlib import Path

import pytest

from corpora import write, write_lines
from facewave import params
from facewave.errors import UserError
from facewave.labels import listing
from facewave.labels.collect import collect, sources
from facewave.labels.corpus import clip_paths
from facewave.labels.readers import get
from facewave.labels.schema import Reason
from facewave.params import Dataset, FeatureTable, Tracks

SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml").labels
MEANS = FeatureTable("means.csv", "name", ["*"])


def entry(root: Path, reader: str, **options: object) -> Dataset:
    return Dataset(reader=reader, root=str(root), about="a test", **options)  # type: ignore[arg-type]


def of_names(root: Path, *names: str) -> None:
    write_lines(root, "means.csv", "name;x", *(f"{name};{at}" for at, name in enumerate(names)))


def test_names_in_the_table_are_labels_where_files_would_be(tmp_path: Path) -> None:
    names = {
        "ravdess": ("01-01-03-01-01-01-02", "happy", "02"),
        "crema_d": ("1001_DFA_ANG_XX", "anger", "1001"),
        "mead": ("M003/video/front/sad/level_2/001", "sad", "M003"),
    }
    for reader, (name, word, subject) in names.items():
        of_names(tmp_path / reader, name)
        table, _ = collect(entry(tmp_path / reader, reader, features=MEANS), "d", SETTINGS)
        found = table.loc[0, ["file_path", "video_idx", "actual", "subject", "excluded"]]
        assert found.tolist() == [name, name, word, subject, ""], reader


def test_sound_has_features_though_no_picture(tmp_path: Path) -> None:
    of_names(tmp_path, "03-01-03-01-01-01-02.wav")
    table, _ = collect(entry(tmp_path, "ravdess", features=MEANS), "d", SETTINGS)
    assert table["excluded"].tolist() == [""]


def test_votes_stand_beside_the_table_of_features(tmp_path: Path) -> None:
    of_names(tmp_path, "audio/1001_DFA_ANG_XX.wav")
    write_lines(tmp_path, "summaryTable.csv", "FileName,FaceVote", "1001_DFA_ANG_XX,N")
    votes = entry(tmp_path, "crema_d", track="perceived", features=MEANS)
    table, _ = collect(votes, "d", SETTINGS)
    assert table.loc[0, ["file_path", "actual"]].tolist() == [
        "audio/1001_DFA_ANG_XX.wav",
        "neutral",
    ]


def test_a_label_without_a_row_of_features_is_left_out(tmp_path: Path) -> None:
    write_lines(tmp_path, "means.csv", "name;x;emotion", "a;1;joy", "b;2;fear")
    write_lines(tmp_path, "labels.csv", "name,emotion", "a,joy", "c,fear")
    options = {
        "features": MEANS,
        "columns": {"file_path": "name", "actual": "emotion"},
        "words": ["joy", "fear"],
    }
    for table, reasons in (("labels.csv", ["", Reason.MISSING_FILE]), ("means.csv", ["", ""])):
        rows, _ = collect(entry(tmp_path, "table", table=table, **options), "d", SETTINGS)
        assert rows["excluded"].tolist() == reasons, table


def test_tracks_are_found_by_their_files(tmp_path: Path) -> None:
    for path in ("Actor_02/01-01-03-01-01-01-02.csv", "b.json", "notes.txt", ".c.csv"):
        write(tmp_path, path)
    tracks = entry(tmp_path, "ravdess", tracks=Tracks("openface"))
    found = clip_paths(tmp_path, tracks, "**/*", (".mp4",))
    assert found == ["Actor_02/01-01-03-01-01-01-02.csv", "b.json"]


def test_published_folds_are_taken_by_their_name(tmp_path: Path) -> None:
    of_names(tmp_path, *(f"01-01-03-01-01-01-{actor:02}" for actor in range(1, 25)))
    preset = entry(tmp_path, "ravdess", features=MEANS, folds="luna-jimenez")
    table, _ = collect(preset, "d", SETTINGS)
    fold = table.set_index("subject")["fold"]
    assert fold[["02", "16", "03", "20", "24", "01", "22"]].tolist() == [1, 1, 2, 3, 4, 5, 5]
    assert fold.value_counts().sort_index().tolist() == [5, 5, 5, 5, 4]
    assert (table["excluded"] == "").all()


def test_a_person_in_no_published_fold_is_left_out(tmp_path: Path) -> None:
    of_names(tmp_path, "01-01-03-01-01-01-02", "01-01-03-01-01-01-25")
    preset = entry(tmp_path, "ravdess", features=MEANS, folds="luna-jimenez")
    table, _ = collect(preset, "d", SETTINGS)
    assert table["excluded"].tolist() == ["", Reason.NO_OFFICIAL_PART]


def test_every_preset_has_each_subject_once() -> None:
    presets = [(corpus, name) for corpus in [get("ravdess")] for name in corpus.folds]
    for corpus, name in presets:
        subjects = [subject for fold in corpus.folds[name] for subject in fold]
        assert len(subjects) == len(set(subjects)) == corpus.track("").published["subjects"]


def test_entries_that_cannot_be_are_refused(tmp_path: Path) -> None:
    outside = FeatureTable("../means.csv", "name", ["*"])
    for reader, options, message in (
        ("ravdess", {"folds": "mine"}, "has the published folds luna-jimenez by name"),
        ("mead", {"folds": "mine"}, "mead has none by name"),
        ("ravdess", {"features": MEANS, "tracks": Tracks("openface")}, "tracks and features"),
        ("union", {"features": MEANS}, "a union none"),
        ("ravdess", {"features": outside}, r"features\.table: the path .* leaves"),
    ):
        with pytest.raises(UserError, match=message):
            sources(entry(tmp_path, reader, **options), "d")


def test_the_listing_is_another_when_a_number_is_another(tmp_path: Path) -> None:
    for table in ("means.csv", "deep/means.npy"):
        described = {"reader": "ravdess", "features": {"table": table, "clip": "name"}}
        patterns = listing.label_files(described)
        listings = []
        for path, content in (
            (table, "a"),
            (table, "b"),
            (f"{table[:-4]}.txt", "a"),
            ("c.csv", ""),
        ):
            write(tmp_path, path, content)
            listings.append(listing.listing(tmp_path, patterns))
        assert len(set(listings)) == 3, table
        assert listings[-1] == listings[-2]
