"""The registry: every corpus that facewave reads, by the name that params.yaml uses."""

from facewave.errors import UserError
from facewave.labels.corpus import Corpus
from facewave.labels.readers import crema_d, dfew, ferv39k, mafw, table, union

CORPORA: dict[str, Corpus] = {
    module.CORPUS.name: module.CORPUS for module in (dfew, ferv39k, mafw, crema_d, table, union)
}


def get(name: str) -> Corpus:
    """The corpus of a reader's name.

    Raises:
        UserError: there is none.
    """
    if name not in CORPORA:
        raise UserError(
            f"there is no reader {name!r}; there are {', '.join(CORPORA)}. facewave datasets lists "
            "them; `table` reads any other table."
        )
    return CORPORA[name]
