"""The published models' answers that come with ``ravdess-au``, as tables with the classes' names.

Luna-Jimenez et al. (Applied Sciences 2022) left two forms: of the MLP on mean action units
probabilities in the order of the corpus's codes, of the bi-LSTM logits in alphabetical order.
Neither says so; it follows from the clips' names, which are their labels. Read in the order of the
other, the bi-LSTM would be right for 20 % of the clips instead of 62 %.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from facewave.errors import UserError
from facewave.files import write_csv
from facewave.labels.readers.ravdess import WORDS

MLP, BILSTM = "mean_au_mlp", "au_bilstm"
_FOLDS = range(1, 6)


def write(folder: Path) -> None:
    """Write ``published/mean_au_mlp.csv`` and ``au_bilstm.csv`` beside the files of the folds.

    Raises:
        UserError: a file is not as it was published.
    """
    for name, table in read(folder).items():
        write_csv(folder / f"published/{name}.csv", table)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Both models' answers to the clips of all test parts.

    Returns:
        Model -> table with the columns video_idx, fold (from 1) and p_<word>, a row a clip.

    Raises:
        UserError: a file is not as it was published.
    """
    return {
        model: pd.concat([read_fold(folder, fold) for fold in _FOLDS], ignore_index=True)
        for model, read_fold in ((MLP, _mlp), (BILSTM, _bilstm))
    }


def _mlp(folder: Path, fold: int) -> pd.DataFrame:
    path = folder / f"published/{MLP}_fold{fold - 1}.csv"  # its authors count from 0
    numbers = [f"embs{code}" for code in range(len(WORDS))]
    try:
        table = pd.read_csv(path, sep=";")
        return _table(table["video_name"], fold, table[numbers].to_numpy(float), WORDS)
    except (KeyError, ValueError) as error:
        raise _changed(path, error) from None


def _bilstm(folder: Path, fold: int) -> pd.DataFrame:
    path = folder / f"published/{BILSTM}_fold{fold}.csv"
    try:
        table = pd.read_csv(path, names=["file", "logits"])
        logits_nC = np.array(table["logits"].map(json.loads).tolist(), float)
        clips = table["file"].str.removesuffix(".csv")
        return _table(clips, fold, softmax(logits_nC, axis=1), sorted(WORDS))
    except (TypeError, ValueError) as error:
        raise _changed(path, error) from None


def _table(
    clips: pd.Series, fold: int, numbers_nC: np.ndarray, order: tuple[str, ...] | list[str]
) -> pd.DataFrame:
    numbers = pd.DataFrame(numbers_nC, columns=[f"p_{word}" for word in order])
    numbers = numbers[[f"p_{word}" for word in WORDS]]
    return pd.concat([pd.DataFrame({"video_idx": clips, "fold": fold}), numbers], axis=1)


def _changed(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is not as it was published ({error}). Delete it and fetch it again.")
