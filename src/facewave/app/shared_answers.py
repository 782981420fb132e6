"""``facewave answers``: runs that people compare without sharing data.

``export`` writes a run's answers as one small .zip: clips' ids, folds, labels and the models' own
numbers, the settings that params.yaml has at that time, and hashes. It has no picture, no file's
place, and numbers instead of subjects and sources; clips' ids stay, which may be paths and say who
is seen.
``import`` takes such a file, or other people's published answers as CSV tables, one for all clips
or one per fold, to ``data/shared_answers/NAME.zip``; ``facewave compare`` takes NAME.

A published table has a column with the clips' names, and a number for each class: columns named
after the classes (``happy``, ``p_happy``), or as many as there are classes, in their order, or a
single column with all of them in brackets. Where the publication has the classes in another order,
``import`` must be told: nothing in the numbers says so. Numbers of which every row adds up to 1,
but for rounding, are probabilities, others logits.
"""

import csv
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from facewave import __version__, params
from facewave.errors import UserError
from facewave.evaluation.tasks import tasks
from facewave.files import replacing
from facewave.labels import schema as labels
from facewave.prediction import schema as prediction
from facewave.prediction.schema import ANSWERS, MODEL, MODELS, Models
from facewave.targets import CLASSES, Target
from facewave.workspace import SHARED_ANSWERS, Dataset

SUFFIX = ".zip"
_ABOUT = "about.json"
_SECTIONS = ("labels", "faces", "appearance", "wavelets", "train", "evaluate")
_OF_ENTRY = ("reader", "track", "words", "min_count", "official", "folds")
_LARGEST = 2**29  # bytes of one member: some millions of answers
_MADE = (1980, 1, 1, 0, 0, 0)  # the earliest date of a .zip: the same answers, the same bytes
_SEPARATORS = (";", "\t", ",")
_NAMED = 5  # clips that a message names
_SUM = 0.02  # by which probabilities that were rounded may miss 1

Answers = tuple[pd.DataFrame, Models]


def export(out: Path, roles: Sequence[str]) -> None:
    """Write the present answers of some roles, all of them by default, to a .zip.

    Raises:
        UserError: there are no answers, or no such role.
    """
    if out.suffix != SUFFIX:
        raise UserError(f"{out} should end in {SUFFIX}.")
    answers, models = prediction.read()
    if strange := [role for role in roles if role not in models.roles]:
        raise UserError(f"there is no role {strange[0]!r}; there are {', '.join(models.roles)}.")
    chosen = {role: models.roles[role] for role in roles or models.roles}
    settings = params.load()
    entry = asdict(params.dataset(settings, models.dataset))
    used = {name: asdict(settings)[name] for name in _SECTIONS}
    used["dataset"] = {name: entry[name] for name in _OF_ENTRY}
    rows = answers[answers["role"].isin(list(chosen))]
    described = replace(models, roles=_placeless(chosen))
    _write(out, _nameless(rows), described, {"settings": _placeless(used)})
    size = out.stat().st_size / 1e6
    print(f"{out}: {', '.join(chosen)}; {rows['video_idx'].nunique():,} clips, {size:.1f} MB")
    if (paths := rows.loc[rows["video_idx"].str.contains("/"), "video_idx"]).size:
        print(f"beware: clips' ids are in it, and some are paths: {paths.iloc[0]}")


def take(files: Sequence[str], name: str = "", dataset: str = "", classes: str = "") -> Path:
    """Import an exported .zip, or published tables as answers about a dataset.

    Args:
        files: one .zip; or .csv files, folders of them or patterns.
        name: what ``facewave compare`` is to call it; "": the file's own name.
        dataset: whose labels and folds published tables are given; "": train.dataset.
        classes: in the order of the numbers, between commas; "": that of the dataset.

    Returns:
        The file that was written.

    Raises:
        UserError: a file is not as it should be; the message names file and row, or the clips.
    """
    name = name or Path(files[0]).stem
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UserError(f"--name {name!r} names a file: take letters, digits, dots and dashes.")
    out = SHARED_ANSWERS / f"{name}{SUFFIX}"
    if len(files) == 1 and files[0].endswith(SUFFIX):
        read(Path(files[0]))  # is it whole?
        with replacing(out) as temporary:
            temporary.write_bytes(Path(files[0]).read_bytes())
        return out
    order = tuple(word.strip() for word in classes.split(",")) if classes else ()
    answers, models, about = from_tables(tables_of(files), name, dataset, order)
    print(f"{name}: the numbers are taken for {about['taken_for']}")
    _write(out, answers, models, about)
    (task,) = tasks(models, params.load().evaluate).values()
    summary = task.summarize(task.rows(answers))
    figures = summary[MODEL]
    shown = ", ".join(
        f"{key.upper()} {100 * figures[key]:.1f} % "
        f"({100 * figures[f'{key}_low']:.1f} to {100 * figures[f'{key}_high']:.1f})"
        for key in ("war", "uar")
    )
    print(
        f"{name}: {summary['n']:,} clips of {models.dataset}; {shown}; 95 % intervals by bootstrap "
        f"over {summary['interval_over']}"
    )
    return out


def read(path: Path) -> Answers:
    """The answers of an exported .zip.

    Raises:
        UserError: it is missing, damaged, or not what ``facewave answers export`` writes.
    """
    wrong = f"{path} is no file that facewave answers export writes"
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if set(sizes) != {ANSWERS, MODELS, _ABOUT} or max(sizes.values()) > _LARGEST:
                raise UserError(f"{wrong}: it has {', '.join(sizes)[:80]}. Get it again.")
            answers, models = archive.read(ANSWERS), archive.read(MODELS)
            about = json.loads(archive.read(_ABOUT))
    except FileNotFoundError:
        raise UserError(f"{path} is not here.") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{wrong} ({error}). Get it again.") from None
    for member, content in ((ANSWERS, answers), (MODELS, models)):
        if about.get("sha256", {}).get(member) != hashlib.sha256(content).hexdigest():
            raise UserError(f"{path}: {member} was changed after it was written. Get it again.")
    return prediction.parse(answers, models, str(path))


def are_tables(name: str) -> bool:
    """Whether a name is that of published tables: a .csv, a pattern, a folder of some."""
    path = Path(name)
    is_folder = path.is_dir() and not (path / ANSWERS).exists() and any(path.glob("*.csv"))
    return name.endswith(".csv") or "*" in name or is_folder


def tables_of(names: Sequence[str]) -> list[Path]:
    """The .csv files that files, folders and patterns name.

    Raises:
        UserError: one of them names none.
    """
    found = []
    for name in names:
        path = Path(name)
        listed = sorted(path.glob("*.csv")) if path.is_dir() else [path] * path.is_file()
        listed = listed or (sorted(path.parent.glob(path.name)) if "*" in path.name else [])
        if not listed:
            raise UserError(f"{name}: there is no such .csv file or folder of some.")
        found += listed
    return list(dict.fromkeys(found))


def from_tables(
    files: Sequence[Path], name: str, dataset: str = "", order: Sequence[str] = ()
) -> tuple[pd.DataFrame, Models, dict[str, object]]:
    """Published answers with a dataset's labels, folds and people.

    Each labelled clip must be in one row of one file. Several files, or the values of a column
    ``fold``, are a fold each. ``order`` is that of numbers without names, by default the dataset's.

    Returns:
        The answers and what answered, as ``prediction.schema`` has them, under the role ``MODEL``;
        and the SHA-256 of the files, and whether their numbers are probabilities or logits.

    Raises:
        UserError: the dataset has no classes; a file is no such table; clips are missing, there
            twice or of no such name; or a published fold has clips of several folds.
    """
    settings = params.load()
    data = Dataset(dataset or settings.train.dataset, settings)
    table = data.read_labels()
    words = data.classes
    if not words:
        raise UserError(
            f"{data.name} has no classes, and published tables are about these alone. Name the "
            "dataset that the answers are about: --dataset."
        )
    if order and sorted(order) != sorted(words):
        raise UserError(
            f"--classes {','.join(order)}: the classes of {data.name} are {', '.join(words)}. Name "
            "each once."
        )
    kept = labels.single_label(table)
    kept = kept[kept["actual"] != ""]
    by_name = _clips(table)
    rows, numbers = [], []
    for file in files:
        for line, clip, fold, values in _published(file, by_name, order or words):
            rows.append((clip, file, line, fold))
            numbers.append(values)
    found = pd.DataFrame(rows, columns=["video_idx", "file", "line", "published_fold"])
    _check(found, kept, data.name)
    probabilities_nC, taken_for = _probabilities(np.array(numbers, float))
    frame = pd.DataFrame(probabilities_nC, columns=[f"p_{word}" for word in order or words])
    answered = pd.concat([found, frame], axis=1)
    answers = kept.merge(answered, on="video_idx", validate="1:1")
    if answers["fold"].isna().all():
        answers = answers[answers["split"] == "test"].assign(partition=prediction.SPLIT)
    else:
        answers = answers[answers["fold"].notna()]
        answers = answers.assign(partition=answers["fold"].astype(str))
        if len(files) > 1 or answers["published_fold"].any():
            _check_folds(answers)
    likeliest = answers[[f"p_{word}" for word in words]].to_numpy().argmax(1)
    predicted = np.array(words, object)[likeliest]
    answers = answers.assign(predicted=predicted, role=MODEL, answered_from="")
    described = {MODEL: {"kind": name}}
    models = Models(data.name, data.entry.about, (Target(CLASSES, "words", words),), described)
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return answers, models, {"published": hashes, "taken_for": taken_for}


def _clips(table: pd.DataFrame) -> dict[str, set[str]]:
    """video_idx, path or file name -> the video_idx of all clips that are called so."""
    names: dict[str, set[str]] = {}
    for clip, path in zip(table["video_idx"], table["file_path"], strict=True):
        pure = PurePosixPath(path)
        for known in (pure.stem, pure.name, path):
            names.setdefault(known, set()).add(clip)
    return names | {clip: {clip} for clip in table["video_idx"]}


def _published(
    file: Path, by_name: Mapping[str, set[str]], words: Sequence[str]
) -> list[tuple[int, str, str, list[float]]]:
    """Line, clip, fold ("" where none is told) and numbers of each row of a published table."""
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8. Save it as UTF-8.") from None
    first = text.partition("\n")[0]
    # A list in brackets has commas of its own, within quotes.
    mark = next((mark for mark in _SEPARATORS if mark in first), ",")
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if any(line)]
    if not numbered:
        raise UserError(f"{file} is empty.")
    header = [] if any(_called(cell, by_name) for cell in numbered[0][1]) else numbered[0][1]
    rows = numbered[1:] if header else numbered
    at = _name_column(file, header, rows, by_name)
    fold_at = next((i for i, name in enumerate(header) if name.strip().lower() == "fold"), -1)
    columns = _number_columns(file, header, rows[0][1], {at, fold_at}, words)
    found = []
    for number, line in rows:
        where = f"{file}, row {number}"
        if len(line) != len(rows[0][1]):
            raise UserError(f"{where} has {len(line)} fields, the first {len(rows[0][1])}.")
        clips = sorted(by_name.get(_called(line[at], by_name), ()))
        if len(clips) > 1:
            raise UserError(
                f"{where}: {line[at][:60]!r} may be any of {len(clips)} clips "
                f"({', '.join(clips[:_NAMED])}). Name clips by their video_idx."
            )
        if not clips:
            raise UserError(
                f"{where}: {line[at][:60]!r} is no clip of the dataset. Name the dataset that the "
                "answers are about: --dataset."
            )
        fold = "" if fold_at < 0 else line[fold_at].strip()
        numbers = _numbers(where, [line[i] for i in columns], len(words))
        found.append((number, clips[0], fold, numbers))
    return found


def _called(cell: str, by_name: Mapping[str, set[str]]) -> str:
    """The name in ``by_name`` that a cell means, with or without an ending; "" if it is none."""
    cell = cell.strip()
    return next((name for name in (cell, cell.rpartition(".")[0]) if name in by_name), "")


def _name_column(
    file: Path,
    header: list[str],
    rows: list[tuple[int, list[str]]],
    by_name: Mapping[str, set[str]],
) -> int:
    if not rows:
        raise UserError(f"{file} has no rows below its header.")
    known = [i for i, cell in enumerate(rows[0][1]) if _called(cell, by_name)]
    # Numbers may be clips' names, too: a column whose name says so goes first.
    known.sort(key=lambda i: bool(header) and "name" not in header[i].lower())
    if not known:
        raise UserError(
            f"{file}, row {rows[0][0]}: no column has a clip's name of the dataset. Name the "
            "dataset that the answers are about: --dataset."
        )
    return known[0]


def _number_columns(
    file: Path, header: list[str], first: list[str], taken: set[int], words: Sequence[str]
) -> list[int]:
    """The columns with the numbers of the classes, in the order of ``words``."""
    places = {name.strip().lower().removeprefix("p_"): i for i, name in enumerate(header)}
    if all(word.lower() in places for word in words):
        return [places[word.lower()] for word in words]
    others = [i for i in range(len(first)) if i not in taken]
    if len(others) not in (1, len(words)):
        raise UserError(
            f"{file}: beside the clip's name there are {len(others)} columns, not one for each of "
            f"the {len(words)} classes. Name them {', '.join(words)}, or leave these alone."
        )
    return others


def _numbers(where: str, cells: list[str], count: int) -> list[float]:
    if len(cells) == 1:
        cells = cells[0].strip().strip("[]").replace(",", " ").split()
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise UserError(f"{where}: {error}.") from None
    if len(values) != count or not all(map(math.isfinite, values)):
        raise UserError(f"{where} has not a finite number for each of the {count} classes.")
    return values


def _probabilities(numbers_nC: np.ndarray) -> tuple[np.ndarray, str]:
    """Probabilities as they are, logits through a softmax; and which they were taken for."""
    if (numbers_nC >= 0).all() and (np.abs(numbers_nC.sum(1) - 1) < _SUM).all():
        return numbers_nC / numbers_nC.sum(1, keepdims=True), "probabilities"
    raised = np.exp(numbers_nC - numbers_nC.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True), "logits"


def _check(found: pd.DataFrame, kept: pd.DataFrame, dataset: str) -> None:
    """Each labelled clip must be there once."""
    if (doubled := found[found.duplicated("video_idx")]).shape[0]:
        row = doubled.iloc[0]
        raise UserError(
            f"{row['file']}, row {row['line']}: clip {row['video_idx']} is there twice, as are "
            f"{len(doubled) - 1} others. A clip is tested once: give each fold's file once."
        )
    tested = kept[kept["fold"].notna() | (kept["split"] == "test")]
    missing = sorted(set(tested["video_idx"]) - set(found["video_idx"]))
    if missing:
        listed = ", ".join(missing[:_NAMED])
        raise UserError(
            f"{len(missing)} of {len(tested)} test clips of {dataset} are in no file ({listed}"
            f"{', ...' if len(missing) > _NAMED else ''}). Give the files of all folds."
        )


def _check_folds(answers: pd.DataFrame) -> None:
    """Published folds must be those of the dataset, else clips were learnt from that are tested."""
    for (file, fold), rows in answers.groupby(["file", "published_fold"]):
        if rows["partition"].nunique() > 1:
            first = rows.drop_duplicates("partition")
            clips = ", ".join(
                f"{row.video_idx} in fold {row.partition}" for row in first.head(2).itertuples()
            )
            raise UserError(
                f"{file}{f', fold {fold},' * bool(fold)} has clips of several folds of the dataset "
                f"({clips}): its folds are others. Set the dataset's folds to those of the "
                "publication."
            )


def _nameless(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without paths, with numbers in place of people's and sources' names."""
    rows = rows.sort_values(["role", "partition", "video_idx"], ignore_index=True)
    for column in ("subject", "source"):
        numbers = pd.Series(pd.factorize(rows[column])[0] + 1, rows.index).map(str)
        rows[column] = numbers.where(rows[column] != "", "")
    return rows.assign(file_path="")


def _placeless(content: Any) -> Any:
    """JSON whose absolute paths are cut to their last part: they name people."""
    if isinstance(content, dict):
        return {key: _placeless(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_placeless(value) for value in content]
    is_path = isinstance(content, str) and Path(content).is_absolute()
    return Path(content).name if is_path else content


def _write(path: Path, answers: pd.DataFrame, models: Models, about: dict[str, object]) -> None:
    contents = prediction.written(answers, models)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    stated = {"facewave": __version__, "sha256": hashes} | about
    contents[_ABOUT] = (json.dumps(stated, indent=2, sort_keys=True) + "\n").encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name, _MADE)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
