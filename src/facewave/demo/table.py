"""Who shows which emotion, how ten annotators voted, what three raters measured, and the faults.

The table has DFEW's columns (Jiang et al., ACM MM 2020): ten votes over seven emotions, the
clip's order, and as label the 1-based index of the emotion with more than five votes, or 0.
"""

import numpy as np

from facewave.demo.clips import PROTOTYPES, Plan, peaks
from facewave.plane import position

EMOTIONS = tuple(PROTOTYPES)
SUBJECTS = 12
COLUMNS = (*(f"{i}{word}" for i, word in enumerate(EMOTIONS, 1)), "order", "label", "subject")
GOOD = len(EMOTIONS) * SUBJECTS  # ordinary clips: 1 to GOOD

# The faulty clips, by order; 85 and 86 are undecided.
TIE, CONTRADICTED, COPY, MISSING, NO_INDEX, CUT_SHORT, NO_FACE = range(87, 94)
COPIED, REPEATED, EMPTY_AFTER = 17, 52, 42  # ordinary orders: see README.md

SILENT = (7, 24, 41, 58, 75, NO_INDEX, CUT_SHORT)  # clips without sound
KEPT = {NO_INDEX: 0.4, CUT_SHORT: 0.75}  # share of the bytes left of a truncated file

# What raters say in numbers (affect.csv).
UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU12", "AU15", "AU17", "AU25")
AFFECT_COLUMNS = ("clip", "valence", "arousal", *UNITS)
SEED_OF_RATERS = 20240602  # a stream of its own: no clip and no vote depends on it
_RATERS = 3
_ERROR = 0.1  # standard deviation of a rater's error
_SEEN = 0.3  # how strong a unit must be to be seen
_LACKING = 0.15  # share of the clips without numbers, and of those without units

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


def affect_rows(clips: dict[int, Plan]) -> list[Row]:
    """The table below AFFECT_COLUMNS, as three raters might give it.

    Valence and arousal are where the emotions lie in the plane (facewave/plane.csv), as far out as
    the clip is intense; units are those that the clip shows at its apex. Each rater errs a little.
    Some clips lack numbers, others units, and clips without a face, without a file or that are
    copies have no row.
    """
    orders = [order for order in clips if order not in (MISSING, NO_FACE)]
    chance = np.random.default_rng(_seed(SEED_OF_RATERS, 0))
    lacking = np.array_split(chance.permutation(orders)[: round(2 * _LACKING * len(orders))], 2)
    rows: list[Row] = []
    for order in sorted(orders):
        plan = clips[order]
        rng = np.random.default_rng(_seed(SEED_OF_RATERS, order))
        at = np.sum([share * np.array(position(name)) for name, share in plan.blend.items()], 0)
        points = plan.intensity * at[:2] + rng.normal(0, _ERROR, (_RATERS, 2))
        mean = np.clip(points, -1, 1).mean(0).round(2) + 0.0  # no -0
        numbers = [f"{number:.2f}" for number in mean]
        apex = peaks(plan)
        seen = [apex[unit] + rng.normal(0, _ERROR, _RATERS) > _SEEN for unit in UNITS]
        units = [int(votes.sum() > _RATERS / 2) for votes in seen]
        without_numbers, without_units = (order in some for some in lacking)
        rows.append(
            (
                order,
                *(["", ""] if without_numbers else numbers),
                *([""] * len(UNITS) if without_units else units),
            )
        )
    return rows


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
