"""What is said in clips, from where params.yaml says."""

from pathlib import Path

import pandas as pd

from facewave.params import Language


def transcripts(table: pd.DataFrame, root: Path, settings: Language) -> list[str]:
    """The words of each row, "" where there are none.

    Args:
        table: rows of a label table.
        root: the corpus's folder.
        settings: ``transcript`` and ``speech`` are looked at.

    Raises:
        UserError: speech is to be recognised, and the model for it cannot be had.
    """
    if settings.transcript == "none":
        return [""] * len(table)
    known: list[str] = table["transcript"].tolist()
    if settings.transcript == "known":
        return known
    from facewave.prompts.speech import Recogniser  # takes seconds to load

    spans = [
        (root / row.file_path, float(row.start), float(row.end))
        for row in table[table["transcript"] == ""].itertuples()
    ]
    recognised = iter(Recogniser(settings.speech).texts(spans))
    return [text or next(recognised) for text in known]
