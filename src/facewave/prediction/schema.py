"""The contract of data/answers/: what every trained model answered about its test clips.

``answers.csv`` has one row per partition, role and test clip: ``COLUMNS``, then for each target
(targets.py)

- of words ``actual`` and ``predicted``, which are words (``UNREADABLE`` where a language model
  wrote none of them; ``actual`` is "" where no word is known), and a probability ``p_<word>`` for
  every word; of other targets than ``classes`` with their names, as in ``p_quadrant_<word>``;
- of a number ``actual_<name>``, ``predicted_<name>``, and ``low_<name>`` and ``high_<name>``, the
  ends of its prediction interval, NaN where there is none;
- of action units ``actual_<unit>`` and ``predicted_<unit>`` for every unit: the probability that it
  is there, or its intensity.

A role that does not answer a target has NaN in all its numbers, in every row. The role ``MAJORITY``
always answers with the training part's class frequencies, means and shares: the floor.

``models.json`` describes the models. Nothing else is needed to evaluate them: the stages that
follow load no model and read no clip.
"""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.files import read_csv, replacing
from facewave.targets import CLASSES, Target

ROOT = Path("data/answers")
ANSWERS, MODELS = "answers.csv", "models.json"
MODEL = "model"  # the role of what train.model names
MAJORITY = "majority"  # the role that always gives the same answer: the floor
SPLIT = "split"  # the partition that is no fold
UNREADABLE = ""  # in column predicted: the model wrote something that is none of the words

# Of answered_from: what was seen or heard of the person.
JUDGED, BY_FACE = ("face", "voice", "face and voice"), ("face", "face and voice")

KEY = ("partition", "role", "video_idx")
COLUMNS = (
    *KEY,
    "file_path",  # below the dataset's root
    "subject",  # "" where it is not known
    "source",  # the film or upload; "" where it is not known
    "answered_from",  # face, voice, face and voice; frames, words (of a language model); or prior:
    # the class frequencies
)
_DECIMALS = 4  # of the models' numbers


@dataclass(frozen=True)
class Models:
    """What was asked, and about what.

    Attributes:
        dataset: the dataset's name.
        about: what the dataset says of itself.
        targets: what the models were asked.
        roles: role -> the model's description: ``kind``, of what was trained ``fingerprints``
            (partition -> training.schema.fingerprint), of a classifier ``fitted`` (partition ->
            WAR and UAR in training and validation), of what standardises clips by the person's
            others ``normalized``, a sentence, and of a language model how it was prompted (with
            ``prompt`` among the keys) and, where it writes, ``read`` (partition -> ``strictly``
            and ``leniently`` -> how many of ``n`` answers are ``read`` as words, and ``right``).
    """

    dataset: str
    about: str
    targets: tuple[Target, ...]
    roles: dict[str, dict[str, Any]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The corpus's own words, in the order of their codes; () if they are no target."""
        return next((target.names for target in self.targets if target.name == CLASSES), ())

    @property
    def title(self) -> str:
        """The dataset for people, as it heads figures and tables."""
        return f"{self.dataset}: {self.about}"

    @property
    def kind(self) -> str:
        """The kind of the model that train.model names."""
        return str(self.roles[MODEL]["kind"])

    @property
    def transductive(self) -> list[str]:
        """The roles whose answer to a clip also follows from other test clips, without labels."""
        return [role for role, about in self.roles.items() if about.get("transductive")]

    @property
    def normalized(self) -> dict[str, str]:
        """Of the roles that standardise a clip by the person's other clips, what is said of it."""
        described = self.roles.items()
        return {role: about["normalized"] for role, about in described if "normalized" in about}

    @property
    def language(self) -> dict[str, Any] | None:
        """How the model was prompted if it is a language model."""
        description = self.roles[MODEL]
        return description if "prompt" in description else None


def columns(models: Models) -> list[str]:
    """All columns of answers.csv, in their order."""
    return [*COLUMNS, *(name for target in models.targets for name in target.columns)]


def _numbers(models: Models) -> list[str]:
    """The columns of the models' own numbers."""
    return [name for target in models.targets for name in (*target.numbers, *target.ends)]


def write(answers: pd.DataFrame, models: Models, folder: Path = ROOT) -> None:
    """Write both files; the models' probabilities and numbers with 4 digits."""
    for name, content in written(answers, models).items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def written(answers: pd.DataFrame, models: Models) -> dict[str, bytes]:
    """The contents of both files, by name."""
    table = answers[columns(models)].round(dict.fromkeys(_numbers(models), _DECIMALS))
    described = json.dumps(asdict(models), indent=2, ensure_ascii=False) + "\n"
    return {
        ANSWERS: table.to_csv(index=False, lineterminator="\n").encode(),
        MODELS: described.encode(),
    }


def read(folder: Path = ROOT) -> tuple[pd.DataFrame, Models]:
    """Read and check both files; text is str, "" where there is nothing, models' numbers float32.

    Raises:
        UserError: a file is missing or damaged.
    """
    try:
        return parse((folder / ANSWERS).read_bytes(), (folder / MODELS).read_bytes(), str(folder))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing. Make it with: dvc repro predict") from None


def parse(answers: bytes, models: bytes, where: str) -> tuple[pd.DataFrame, Models]:
    """Both files from their contents.

    Args:
        answers: the bytes of answers.csv.
        models: the bytes of models.json.
        where: the files' folder or revision, for messages.

    Raises:
        UserError: one is damaged, or they do not belong together.
    """
    try:
        described = json.loads(models)
        targets = (
            Target(**target | {"names": tuple(target["names"])}) for target in described["targets"]
        )
        about = Models(**described | {"targets": tuple(targets)})
        actual = [name for target in about.targets if not target.is_words for name in target.actual]
        numbers = dict.fromkeys(actual, "float64") | dict.fromkeys(_numbers(about), "float32")
        texts = [name for name in columns(about) if name not in numbers]
        table = read_csv(io.BytesIO(answers), texts, numbers)
        if missing := [name for name in columns(about) if name not in table]:
            raise ValueError(f"column {missing[0]!r} is missing")
        _check(table, about)
    except (KeyError, TypeError, ValueError) as error:  # also pandas' and JSON's errors
        problem = str(error).strip()
        raise UserError(
            f"{where} is damaged ({problem}). Make it again: dvc repro -f predict"
        ) from None
    return table, about


def answering(table: pd.DataFrame, target: Target) -> pd.DataFrame:
    """The rows about clips that have the target, of the roles that answer it."""
    is_answered = table[list(target.numbers)].notna().any(axis=1)
    if target.is_words:
        has_target = table[target.actual[0]] != ""
    else:
        has_target = table[list(target.actual)].notna().any(axis=1)
    return table[is_answered & has_target]


def _check(table: pd.DataFrame, models: Models) -> None:
    """Raise a ValueError that names the first row that cannot be."""
    problems = {
        "a role that models.json does not describe": ~table["role"].isin(list(models.roles)),
        "a second answer of this role": table.duplicated(list(KEY)),
    }
    for target in models.targets:
        numbers = table[list(target.numbers)]
        is_answered = numbers.notna().any(axis=1).groupby(table["role"]).transform("any")
        is_whole = np.isfinite(numbers).all(axis=1)
        problems[f"a number of {target.name} is missing"] = is_answered & ~is_whole
        if target.predicted:
            words = list(target.names)
            is_label = table[target.actual[0]].isin([*words, ""])
            is_answer = table[target.predicted].isin([*words, UNREADABLE])
            problems[f"a label of {target.name} that is none of the words"] = ~is_label
            problems[f"an answer to {target.name} that is none of the words"] = ~is_answer
    for problem, rows in problems.items():
        if rows.any():
            row = table[rows].iloc[0]
            raise ValueError(
                f"clip {row['video_idx']}, partition {row['partition']}, role {row['role']}: "
                f"{problem}"
            )
