"""What a trained model says of a partition's test clips. Pure.

Legend of names: n clips, N numbers per channel.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.params import Block
from facewave.training import schema as training


def predict(
    trained: training.Trained,
    prior: training.Trained,
    clips: pd.DataFrame,
    blocks: Mapping[Block, NDArray[np.float32]],
    partition: str | int,
) -> pd.DataFrame:
    """Answers for a partition's test clips, one row each.

    Args:
        trained: the model.
        prior: answers for clips that are not usable.
        clips: labelled clips, with ``usable`` and ``at``, their place in the blocks.
        blocks: features, (n, N, ...).
        partition: "split", or the fold that is the test part.

    Raises:
        UserError: the partition's test part is empty.
    """
    test = clips[labels.parts(clips, partition) == "test"]
    if test.empty:
        raise UserError(f"partition {partition} has no test clip; see metrics/clean for the parts.")
    usable = test["usable"].to_numpy(bool)
    chosen = {name: blocks[name][test["at"].to_numpy()] for name in trained.inputs}
    probabilities = np.where(
        usable[:, None],
        trained.probabilities(np.nan_to_num(training.arrange(chosen, trained.inputs))),
        prior.probabilities(np.zeros((len(test), 1), np.float32)),
    )
    words = np.array(trained.config.classes)
    table = test[["video_idx", "file_path", "subject", "source", "actual"]].assign(
        partition=str(partition),
        predicted=words[probabilities.argmax(1)],
        answered_from=np.where(usable, "face", "prior"),
    )
    for word, column in zip(words, probabilities.T, strict=True):
        table[f"p_{word}"] = column.round(4)
    return table
