"""The synthetic compounds: what a face does in them, and that our readers read what is written."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import assets
from facewave.errors import UserError
from facewave.labels import challenge
from facewave.labels.readers import abaw_compound, raf_db
from facewave.labels.schema import COMPOUND, components
from facewave.models.knowledge import PROTOTYPES
from facewave.params import Dataset
from making import contents


@pytest.fixture
def compounds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with patches that follow from plan and time for faces that act."""
    from facewave.demo import compounds  # loads MediaPipe

    def film(plan: Any, face: int, times: Any) -> tuple[int, Iterator[Any]]:
        rng = np.random.default_rng(plan.seed)
        code = list(compounds.REGIONS).index(next(iter(plan.blend)))
        return 5, (rng.integers(20 * code, 20 * code + 60, (16, 16, 3), np.uint8) for _ in times)

    monkeypatch.setattr(compounds, "film", film)
    for name, value in {"STILLS": 2, "VIDEOS": 1, "SIDE": 16, "_LEFT": 0, "_TOP": 0}.items():
        monkeypatch.setattr(compounds, name, value)
    fake = SimpleNamespace(people=lambda model, seed, numbers: {one: one for one in numbers})
    monkeypatch.setattr(compounds, "faces", fake)
    monkeypatch.setattr(assets, "get", lambda asset: None)
    return compounds


def test_compounds_are_the_challenges_and_act_as_most_people_do(compounds: Any) -> None:
    assert tuple(compounds.REGIONS) == COMPOUND
    acted = compounds.compounds()
    for word, (upper, lower) in compounds.REGIONS.items():
        assert components(word) == {upper, lower}, word
        most = {unit for unit, share in PROTOTYPES[components(word)].items() if share == 1}
        assert most <= {int(unit[2:]) for unit in acted[word]}, word
    units = [frozenset(actions) for actions in acted.values()]
    assert len(set(units)) == len(COMPOUND)


def test_our_readers_read_it_and_no_person_is_in_two_parts(compounds: Any, tmp_path: Path) -> None:
    compounds.main(tmp_path / "one", people=6, seed=0, wrong=0.2)
    stills = raf_db.read(tmp_path / "one/pictures", Dataset("raf_db", "", "", track="compound"))
    by_part = Counter(record.part for record in stills)
    assert by_part == {"train": 14, "test": 14}  # of two people, of whom the last is tested
    words = Counter(components(record.word) for record in stills)
    assert words == dict.fromkeys(map(components, COMPOUND), 4)
    for record in stills:
        assert (tmp_path / "one/pictures" / record.file_path).exists()
        assert record.problem is None
    for name, table in (("film", "truth.txt"), ("labelled", "labels.txt")):
        entry = Dataset("abaw_compound", "", "", table=table)
        frames = abaw_compound.read(tmp_path / "one" / name, entry)
        assert Counter(record.word for record in frames) == dict.fromkeys(COMPOUND, 10)
        unlabelled = abaw_compound.read(tmp_path / "one" / name, Dataset("abaw_compound", "", ""))
        assert {one.file_path for one in unlabelled} == {one.file_path for one in frames}
        assert not any(record.word for record in unlabelled)
    answers = pd.read_csv(tmp_path / "one/film/answers.csv").set_index("image_location")
    truth = challenge.read(tmp_path / "one/film/truth.txt")
    told = pd.Series({row["0"]: COMPOUND[int(row["1"])] for _, row in truth})
    assert answers.index.equals(told.index)
    assert (answers["predicted"] != told).sum() == 14  # of 70
    videos = [{path.name for path in (tmp_path / "one" / name).iterdir() if path.is_dir()}
              for name in ("film", "labelled")]  # fmt: skip
    assert not videos[0] & videos[1]
    compounds.main(tmp_path / "two", people=6, seed=0, wrong=0.2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    compounds.main(tmp_path / "three", people=3, seed=1, wrong=0.2)
    of_person = contents(tmp_path / "one/film/03"), contents(tmp_path / "three/labelled/03")
    assert of_person[0] != of_person[1]


def test_it_says_what_it_cannot_make(compounds: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--wrong is 2, but"):
        compounds.main(tmp_path / "new", people=3, seed=0, wrong=2)
    with pytest.raises(UserError, match="--people is 2"):
        compounds.main(tmp_path / "new", people=2, seed=0, wrong=0.2)
    (tmp_path / "note").touch()
    with pytest.raises(UserError, match="is not empty"):
        compounds.main(tmp_path, people=3, seed=0, wrong=0.2)
