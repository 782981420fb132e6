"""The registry: what is said of every corpus holds together."""

import re
import string
from dataclasses import fields
from pathlib import PurePosixPath

import pytest

from facewave.errors import UserError
from facewave.labels import collect, schema
from facewave.labels.readers import CORPORA, get
from facewave.params import Dataset, Labels
from running import ROOT

TRACKS = [(corpus, name) for corpus in CORPORA.values() for name in corpus.tracks]
OWN = {"table", "union"}  # no corpora, but ways to read people's own and several at once
UNLABELLED = {"celeba", "casia_webface", "imdb_wiki"}  # faces without emotions
# What an entry needs beside the three keys that all of them have, where the corpus has no default.
NEEDED = {
    "table": {"table": "t.csv", "columns": {"file_path": "f", "actual": "w"}, "words": ["a", "b"]}
}


def entry(name: str, **keys: object) -> Dataset:
    return Dataset(reader=name, root="data/raw/x", about="a test", **NEEDED.get(name, {}), **keys)  # type: ignore[arg-type]


def test_the_corpora_are_these_by_their_names() -> None:
    assert set(CORPORA) == {
        "abaw_compound", "afew_va", "aff_wild2", "affectnet", "casia_webface", "celeba",
        "celebv_hq", "crema_d", "dfew", "fer2013", "ferv39k", "imdb_wiki", "mafw", "mead", "omg",
        "raf_db", "ravdess", "sewa", "table", "union",
    }  # fmt: skip
    for name, corpus in CORPORA.items():
        assert get(name) is corpus
        assert corpus.name == name
    with pytest.raises(UserError, match="there is no reader 'dfw'; there are dfew, ferv39k, mafw"):
        get("dfw")


def test_a_corpus_says_what_it_is_and_where_to_get_it() -> None:
    for corpus in CORPORA.values():
        assert all(text.strip() for text in (corpus.title, corpus.access, corpus.licence))
        assert corpus.home.startswith(("https://", "http://")) != (corpus.name in OWN)
        assert bool(corpus.layout) != (corpus.name in OWN)
        for pattern, meaning in corpus.layout.items():
            assert meaning.strip()
            for alternative in pattern.split(" or "):
                path = PurePosixPath(alternative)
                assert not path.is_absolute()
                assert ".." not in path.parts
                assert alternative == alternative.strip() != ""
                assert not [name for _, name, _, _ in string.Formatter().parse(alternative) if name]


def test_a_corpus_has_tracks_and_the_first_is_the_default() -> None:
    for corpus in CORPORA.values():
        assert corpus.track("") is next(iter(corpus.tracks.values()))
        for name, track in corpus.tracks.items():
            assert corpus.track(name) is track
        with pytest.raises(UserError, match=f"{corpus.name} has no track 'nowhere'; it has "):
            corpus.track("nowhere")


def test_words_columns_and_counts_of_a_track() -> None:
    counted = {"clips", "subjects", "classes", "scenes", "sources", "frames"}
    counted |= {"train", "val", "test", *(f"fold {k}" for k in range(1, 6))}
    for corpus, name in TRACKS:
        track = corpus.tracks[name]
        words, knows, published = track.words, track.knows, track.published
        assert len({word.casefold() for word in words}) == len(words)
        assert all(re.fullmatch(r"[^\s,]([^,]*[^\s,])?", word) for word in words)
        is_labelled = bool(words or {"valence", "arousal", "aus"} & set(knows))
        assert is_labelled != (corpus.name in UNLABELLED)
        assert set(knows) <= set(schema.COLUMNS)
        assert len(set(knows)) == len(knows)
        assert set(published) <= counted | set(words)
        assert all(number > 0 for number in published.values())
        assert published.get("classes", len(words)) == len(words)
        for keys in (words, [f"fold {k}" for k in range(1, 6)], ["train", "val", "test"]):
            counts = [published[key] for key in keys if key in published]
            assert not counts or sum(counts) == published.get("clips", sum(counts))
        if track.annotators is not None and track.majority is not None:
            assert track.annotators / 2 <= track.majority < track.annotators


def test_the_keys_that_a_reader_takes() -> None:
    optional = {field.name for field in fields(Dataset)} - {"reader", "root", "about"}
    values = {"table": "x", "clips": "x", "encoding": "x", "every": 2, "window": 1.0}
    for name, corpus in CORPORA.items():
        assert set(corpus.takes) <= optional
        assert len(set(corpus.takes)) == len(corpus.takes)
        assert ("track" in corpus.takes) == (len(corpus.tracks) > 1)
        plain = entry(name)
        sources = collect.sources(plain, "x")
        assert [source.corpus for source in sources] == [corpus] or name == "union"
        words = collect.words_of(plain)
        assert len(set(words)) == len(words)
        for option in set(values) - set(corpus.takes) - set(NEEDED.get(name, {})):
            with pytest.raises(UserError, match=f"datasets.x.{option}: the reader {name} has"):
                collect.sources(entry(name, **{option: values[option]}), "x")


def test_all_but_compounds_have_seven_words() -> None:
    settings = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")
    for corpus, track in TRACKS:
        words = corpus.tracks[track].words
        if corpus.name in OWN or not words or track == "compound":
            continue
        named = track if "track" in corpus.takes else ""
        seven = Dataset(reader=corpus.name, root=".", about="a test", track=named, words="seven")
        common = collect.rules(collect.sources(seven, "x")[0], settings).common
        assert common is not None
        assert set(common) == set(words)
        assert set(common.values()) <= {*schema.SEVEN, ""}
        assert collect.words_of(seven) == schema.SEVEN


def test_the_documentation_says_what_can_be_asked_of_each() -> None:
    text = (ROOT / "docs/data.md").read_text("utf-8")
    section = text.partition("## What can be asked")[2].partition("\n\n`classes`")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:2] for row in rows] == [[corpus.name, name] for corpus, name in TRACKS]
    for (corpus, name), (_, _, words, *asked, unit) in zip(TRACKS, rows, strict=True):
        track = corpus.tracks[name]
        for column, cell in zip(("valence", "dominance", "aus", "scores"), asked, strict=True):
            assert cell == ("yes" if column in track.knows else ""), (corpus.name, name)
        assert bool(words) == bool(track.words or corpus.name == "table")
        assert ("votes" in words) == ("votes" in track.knows)
        assert (unit == "frame") == ("every" in corpus.takes)
