"""The registry: every corpus that facewave reads, by the name that params.yaml uses."""

from facewave.errors import UserError
from facewave.labels.corpus import Corpus
from facewave.labels.readers import (
    abaw_compound,
    afew_va,
    aff_wild2,
    affectnet,
    casia_webface,
    celeba,
    celebv_hq,
    crema_d,
    dfew,
    fer2013,
    ferv39k,
    imdb_wiki,
    mafw,
    mead,
    omg,
    raf_db,
    ravdess,
    sewa,
    table,
    union,
)

# Films first, then acted clips, valence and arousal, pictures, faces without emotions,
# and people's own.
CORPORA: dict[str, Corpus] = {
    module.CORPUS.name: module.CORPUS
    for module in (
        dfew, ferv39k, mafw, celebv_hq, crema_d, ravdess, mead, afew_va, omg, aff_wild2, sewa,
        abaw_compound, affectnet, fer2013, raf_db, celeba, casia_webface, imdb_wiki, table, union,
    )
}  # fmt: skip


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
