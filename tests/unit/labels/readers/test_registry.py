"""The registry: what is said of every corpus holds together."""

import re
import string
from dataclasses import fields
from pathlib import PurePosixPath

import pytest

from facewave.errors import UserError
from facewave.labels import collect, schema
from facewave.labels.corpus import Corpus, Track
from facewave.labels.readers import CORPORA, get
from facewave.params import Dataset, Labels

EVERY = pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA.keys())
TRACKS = pytest.mark.parametrize(
    ("corpus", "track"),
    [(corpus, name) for corpus in CORPORA.values() for name in corpus.tracks],
    ids=lambda value: value.name if isinstance(value, Corpus) else value,
)
OWN = {"table", "union"}  # no corpora, but ways to read people's own and several at once
# What an entry needs beside the three keys that all of them have, where the corpus has no default.
NEEDED = {
    "table": {"table": "t.csv", "columns": {"file_path": "f", "actual": "w"}, "words": ["a", "b"]}
}


def entry(name: str, **keys: object) -> Dataset:
    return Dataset(reader=name, root="data/raw/x", about="a test", **NEEDED.get(name, {}), **keys)  # type: ignore[arg-type]


def track_of(corpus: Corpus, name: str) -> Track:
    return corpus.tracks[name]


def test_the_corpora_are_these() -> None:
    assert set(CORPORA) == {
        "abaw_compound", "afew_va", "aff_wild2", "affectnet", "celebv_hq", "crema_d", "dfew",
        "fer2013", "ferv39k", "mafw", "mead", "omg", "raf_db", "ravdess", "sewa", "table", "union",
    }  # fmt: skip


@EVERY
def test_a_corpus_is_found_by_its_name(corpus: Corpus) -> None:
    assert get(corpus.name) is corpus
    assert re.fullmatch(r"[a-z][a-z0-9_]*", corpus.name)


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match="there is no reader 'dfw'; there are dfew, ferv39k, mafw"):
        get("dfw")


@EVERY
def test_a_corpus_says_what_it_is_and_how_it_is_had(corpus: Corpus) -> None:
    assert corpus.title.strip()
    assert corpus.access.strip()
    assert corpus.licence.strip()
    if corpus.name in OWN:
        assert corpus.layout == {}
    else:
        assert corpus.home.startswith(("https://", "http://"))
        assert corpus.layout


@EVERY
def test_a_corpus_has_tracks_and_the_first_is_the_default(corpus: Corpus) -> None:
    assert corpus.track("") is next(iter(corpus.tracks.values()))
    for name, track in corpus.tracks.items():
        assert corpus.track(name) is track
    with pytest.raises(UserError, match=f"{corpus.name} has no track 'nowhere'; it has "):
        corpus.track("nowhere")


@TRACKS
def test_words_are_there_once_and_plain(corpus: Corpus, track: str) -> None:
    words = track_of(corpus, track).words
    assert len({word.casefold() for word in words}) == len(words)
    for word in words:
        assert word == word.strip()
        assert word
        assert "," not in word


@TRACKS
def test_a_track_has_words_or_fills_other_columns(corpus: Corpus, track: str) -> None:
    found = track_of(corpus, track)
    assert found.words or {"valence", "arousal", "aus"} & set(found.knows)


@TRACKS
def test_what_a_track_fills_are_columns_of_the_table(corpus: Corpus, track: str) -> None:
    knows = track_of(corpus, track).knows
    assert set(knows) <= set(schema.COLUMNS)
    assert len(set(knows)) == len(knows)


@TRACKS
def test_published_counts_are_of_something_known(corpus: Corpus, track: str) -> None:
    found = track_of(corpus, track)
    counted = {"clips", "subjects", "classes", "scenes", "sources", "frames"}
    counted |= {"train", "val", "test"}
    folds = {f"fold {k}" for k in range(1, 6)}
    for name, number in found.published.items():
        assert number > 0
        assert name in counted | folds | set(found.words), name
    if "classes" in found.published:
        assert found.published["classes"] == len(found.words)


@TRACKS
def test_a_majority_is_one_of_the_annotators(corpus: Corpus, track: str) -> None:
    found = track_of(corpus, track)
    if found.annotators is not None and found.majority is not None:
        assert found.annotators / 2 <= found.majority < found.annotators


@EVERY
def test_what_a_reader_takes_are_keys_of_an_entry(corpus: Corpus) -> None:
    optional = {field.name for field in fields(Dataset)} - {"reader", "root", "about"}
    assert set(corpus.takes) <= optional
    assert len(set(corpus.takes)) == len(corpus.takes)
    assert ("track" in corpus.takes) == (len(corpus.tracks) > 1)


@EVERY
def test_layouts_are_relative_and_stay_below_the_root(corpus: Corpus) -> None:
    for pattern, meaning in corpus.layout.items():
        assert meaning.strip()
        for alternative in pattern.split(" or "):
            path = PurePosixPath(alternative)
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert alternative == alternative.strip() != ""
            assert not [name for _, name, _, _ in string.Formatter().parse(alternative) if name]


@EVERY
def test_an_entry_with_the_plain_keys_has_sources_and_words(corpus: Corpus) -> None:
    plain = entry(corpus.name)
    found = collect.sources(plain, "x")
    assert found
    if corpus.name != "union":
        assert [source.corpus for source in found] == [corpus]
    words = collect.words_of(plain)
    assert len(set(words)) == len(words)


@EVERY
def test_an_option_that_a_reader_does_not_take_is_told(corpus: Corpus) -> None:
    given = {"table": "x", "clips": "x", "encoding": "x", "every": 2, "window": 1.0}
    for option, value in given.items():
        if option in corpus.takes or option in NEEDED.get(corpus.name, {}):
            continue
        with pytest.raises(UserError, match=f"datasets.x.{option}: the reader {corpus.name} has"):
            collect.sources(entry(corpus.name, **{option: value}), "x")


@TRACKS
def test_seven_words_are_had_from_all_but_compounds(corpus: Corpus, track: str) -> None:
    if corpus.name in OWN or not track_of(corpus, track).words:
        return
    named = track if "track" in corpus.takes else ""
    wanted = Dataset(reader=corpus.name, root=".", about="a test", track=named, words="seven")
    if "compound" in track or corpus.name == "abaw_compound":
        return
    source = collect.sources(wanted, "x")[0]
    common = collect.rules(source, _settings()).common
    assert common is not None
    assert set(common) == set(track_of(corpus, track).words)
    assert set(common.values()) <= {*schema.SEVEN, ""}
    assert collect.words_of(wanted) == schema.SEVEN


def _settings() -> Labels:
    return Labels(folds=5, seed=0, min_agreement=0.0, on_problem="exclude")
