"""Who shows which emotion, how ten annotators voted, and the deliberate faults.

The table has DFEW's columns (Jiang et al., ACM MM 2020): ten votes over seven emotions, the
clip's order, and as label the 1-based index of the emotion with more than five votes, or 0.
"""

import numpy as np

from facewave.demo.clips import PROTOTYPES, Plan

EMOTIONS = tuple(PROTOTYPES)
SUBJECTS = 12
COLUMNS = (*(f"{i}{word}" for i, word in enumerate(EMOTIONS, 1)), "order", "label", "subject")
GOOD = len(EMOTIONS) * SUBJECTS  # ordinary clips: 1 to GOOD

# The faulty clips, by order; 85 and 86 are undecided.
TIE, CONTRADICTED, COPY, MISSING, NO_INDEX, CUT_SHORT, NO_FACE = range(87, 94)
COPIED, REPEATED, EMPTY_AFTER = 17, 52, 42  # ordinary orders: see README.md

KEPT = {NO_INDEX: 0.4, CUT_SHORT: 0.75}  # share of the bytes left of a truncated file

_ANNOTATORS = 10
_MAJORITY = 5  # DFEW: a label needs more votes than this
# What an emotion is most often taken for, the likeliest first.
_CONFUSABLE = {
    "happy": ("neutral", "surprise"),
    "sad": ("neutral", "fear"),
    "neutral": ("sad", "angry"),
    "angry": ("disgust", "neutral"),
    "surprise": ("fear", "happy"),
    "disgust": ("angry", "sad"),
    "fear": ("surprise", "sad"),
}
_WEAKEST = 0.55
# Order -> blend, votes in DFEW's order (None: drawn), label.
_DIRT: dict[int, tuple[dict[str, float], tuple[int, ...] | None, int]] = {
    85: ({"fear": 0.6, "surprise": 0.6}, (0, 1, 0, 0, 5, 0, 4), 0),
    86: ({"angry": 0.6, "disgust": 0.6}, (0, 1, 1, 4, 0, 4, 0), 0),
    TIE: ({"sad": 0.6, "neutral": 0.4}, (0, 5, 5, 0, 0, 0, 0), 2),
    CONTRADICTED: ({"sad": 1.0}, (0, 8, 2, 0, 0, 0, 0), 1),
    MISSING: ({"happy": 1.0}, None, 1),
    NO_INDEX: ({"angry": 1.0}, None, 4),
    CUT_SHORT: ({"disgust": 1.0}, None, 6),
    NO_FACE: ({"neutral": 1.0}, None, 3),
}

Row = tuple[int | str, ...]


def plans(seed: int) -> dict[int, Plan]:
    """All clips by order: each subject shows each emotion once; every clip has its own seed."""
    shuffled = np.random.default_rng(_seed(seed, 0)).permutation(GOOD)
    cast = [({emotion: 1.0}, subject) for emotion in EMOTIONS for subject in range(SUBJECTS)]
    blends = {order: cast[i] for order, i in enumerate(shuffled, 1)}
    blends |= {order: (blend, order % SUBJECTS) for order, (blend, _, _) in _DIRT.items()}
    plans = {}
    for order, (blend, subject) in blends.items():
        clip_seed = _seed(seed, order)
        intensity = np.random.default_rng(_seed(clip_seed, 0)).uniform(_WEAKEST, 1)
        plans[order] = Plan(order, subject, blend, intensity, clip_seed)
    return plans


def rows(clips: dict[int, Plan]) -> list[Row]:
    """The table below COLUMNS, faults included."""
    rows: dict[int, Row] = {}
    for order, plan in clips.items():
        _, votes, label = _DIRT.get(order, (None, None, EMOTIONS.index(next(iter(plan.blend))) + 1))
        rows[order] = (*(votes or _vote(plan)), order, label, f"s{plan.subject + 1:02d}")
    rows[COPY] = (*rows[COPIED][:-3], COPY, *rows[COPIED][-2:])
    table = [rows[order] for order in sorted(rows)] + [rows[REPEATED]]
    table.insert(EMPTY_AFTER, ("",) * len(COLUMNS))
    return table


def _seed(parent: int | np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """The parent's child with that number; unlike spawn(), the same one each time."""
    if isinstance(parent, int):
        parent = np.random.SeedSequence(parent)
    return np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, number))


def _vote(plan: Plan) -> tuple[int, ...]:
    """Ten votes, more than five for the intended emotion; weak clips divide the annotators."""
    rng = np.random.default_rng(_seed(plan.seed, 1))
    (emotion,) = plan.blend
    sure = 0.6 + 0.35 * plan.intensity
    unsure = 1 - sure
    shares = np.full(len(EMOTIONS), 0.15 * unsure / len(EMOTIONS))
    likeliest = [EMOTIONS.index(word) for word in (emotion, *_CONFUSABLE[emotion])]
    shares[likeliest] += (sure, 0.6 * unsure, 0.25 * unsure)
    votes = np.zeros(len(EMOTIONS), int)
    while votes[likeliest[0]] <= _MAJORITY:
        votes = rng.multinomial(_ANNOTATORS, shares)
    return tuple(votes.tolist())
