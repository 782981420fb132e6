"""Cards and lines of models: what is known stands in them, what is not known is missing."""

from facewave.targets import Target, number
from facewave.training.cards import SYNTHETIC, UNKNOWN, Figure, card, line
from making import words

WAVELETS = {"transform": "energy", "wavelet": "haar", "boundary": "open", "k": 10}
UAR = Figure(value=0.557, low=0.489, high=0.631, n=86, folds=5)
ABOUT = {
    "dataset": "mine",
    "description": "my recordings",
    "licence": "CC0-1.0",
    "synthetic": False,
    "partition": "1",
    "clips": 52,
    "people": 1,
    "figures": {"UAR": UAR, "CCC of valence": Figure(value=0.4, low=None, high=None, n=9, folds=1)},
}


def test_a_line_has_the_kind_what_it_learnt_from_and_the_first_figure() -> None:
    assert line("mlp", ABOUT) == (
        "mlp, learnt from mine (my recordings; 52 clips, 1 person), "
        "UAR 55.7 % [49, 63] on 86 test clips of 5 folds"
    )
    assert line("mlp", {"dataset": "mine", "clips": 1}) == "mlp, learnt from mine (1 clip)"
    assert line("mlp", {"dataset": "mine", "people": None}) == "mlp, learnt from mine"
    assert line("mlp", {}) == "mlp"


def test_a_card_has_what_is_known() -> None:
    targets = [
        words("happy", "sad"),
        number("valence"),
        number("score.promis"),
        Target("about.sex", "words", ("f", "m")),
        Target("aus", "presence", ("AU1", "AU12")),
    ]
    full = card("mlp", targets, ("blendshapes",), WAVELETS, True, ABOUT)
    for fact in (
        "# mlp",
        "| answers with | happy, sad; valence (-1 to 1); score.promis; about.sex: f, m; presence "
        "of AU1, AU12 |",
        "| takes | blendshapes as 10 numbers a trajectory (energy haar) |",
        "| learnt from | mine: my recordings |",
        "| clips | 52 clips, 1 person |",
        "| licence of the clips | CC0-1.0 |",
        "| UAR | 55.7 % [49, 63] on 86 test clips of 5 folds |",
        "| CCC of valence | 0.400 on 9 test clips |",
        "Its probabilities are calibrated",
        "A number's interval",
    ):
        assert fact in full
    assert SYNTHETIC[3:] not in full
    assert "Its figures are known once" not in full

    bare = card("mlp", (words("happy"),), (), {}, False, {"synthetic": True})
    assert SYNTHETIC[3:] in bare
    assert "Its probabilities are scores" in bare
    assert "Its figures are known once" in bare
    for absent in ("learnt from |", "clips |", "licence", "takes", "None"):
        assert absent not in bare


def test_a_card_tells_where_a_network_began() -> None:
    weights = {"name": "imagenet", "address": "https://x/r.pth", "sha256": "ab12",
               "licence": "BSD-3-Clause", "learnt_on": "ImageNet"}  # fmt: skip
    about = ABOUT | {"takes": "up to 8 faces", "before": [["big", "2"]]}
    begun = card("resnet18", [words("happy")], (), {}, False, about | {"weights": weights})
    for fact in (
        "| takes | up to 8 faces |",
        "| started from | imagenet: learnt on ImageNet, licence BSD-3-Clause, SHA-256 ab12, "
        "https://x/r.pth |",
        "| labels seen before | big (partition 2) |",
    ):
        assert fact in begun
    random = card(
        "resnet18", [words("happy")], (), {}, False, ABOUT | {"weights": {"name": "none"}}
    )
    assert "started from" not in random
    assert "labels seen before" not in random


def test_pseudo_labels_are_told_apart_from_labels_and_those_who_gave_them_named() -> None:
    pseudo = {"track": "votes", "by": "a model and a file", "clips": 20, "known": True}
    told = ABOUT | {"pseudo": pseudo}
    counts = "32 labels{} 20 pseudo-labels (track votes)"
    assert counts.format(" and") in line("mlp", told)
    after = ABOUT | {"pseudo": pseudo | {"after": "resnet18-labels"}}
    for about, joint in ((told, " and"), (after, ", then")):
        text = card("resnet18", [words("happy")], (), {}, True, about)
        assert f"| labels | {counts.format(joint)} |" in text
        assert "| pseudo-labels by | a model and a file |" in text
        assert UNKNOWN[1:] not in text
    about = ABOUT | {"pseudo": pseudo | {"known": False}}
    assert UNKNOWN[1:] in card("resnet18", [words("happy")], (), {}, True, about)
