"""Where the tokens of prompts with long videos stand."""

from typing import Any

import pytest
import torch
from torch import Tensor

from facewave.models.vlm.backbones import Backbone, load
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import append_answers
from facewave.models.vlm.positions import positions
from making_language import answers_of, inputs_of, language_model, turn

SIDE = 2  # merged patches of a tiny Qwen's picture


def long(duration: float, question: str = "Who?", answer: str = "") -> Turn:
    shown = turn(question, answer)
    return Turn(shown.pictures, duration, question, answer)


def by_hand(backbone: Backbone, ids: list[int], durations: list[float]) -> list[list[int]]:
    """As Qwen's own code counts: behind a video, one more than its largest position."""
    config, found, behind, videos = backbone.model.config, list[list[int]](), 0, iter(durations)
    per_second, at = config.vision_config.tokens_per_second, 0
    while at < len(ids):
        if ids[at] != config.video_token_id:
            found.append([behind] * 3)
            behind, at = behind + 1, at + 1
            continue
        grid_seconds = 2 / (4 / next(videos))  # two of four frames a grid
        cells = [
            [behind + int(time * per_second * grid_seconds), behind + row, behind + column]
            for time in range(2)
            for row in range(SIDE)
            for column in range(SIDE)
        ]
        found += cells
        behind, at = max(map(max, cells)) + 1, at + len(cells)
    return found


def test_text_goes_on_behind_the_largest_position_of_a_video() -> None:
    backbone = load("tiny-qwen2.5-vl", "hub")
    for duration in (0.5, 1.0, 2.0, 7.9, 8.0, 8.1, 20.0, 33.3, 60.0):
        talks = [
            [long(3 * duration, "What?", "sad"), long(duration)],
            [long(1), long(2, "Longer?")],
        ]
        inputs = backbone.inputs(talks)
        found = positions(backbone.model, inputs)["position_ids"]
        for row, turns in enumerate(talks):
            kept = inputs["attention_mask"][row].bool()
            ids = inputs["input_ids"][row, kept].tolist()
            expected = by_hand(backbone, ids, [shown.duration for shown in turns])
            assert found[:, row, kept].T.tolist() == expected, (duration, row)


@torch.inference_mode()
def test_every_way_of_reading_has_these_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    talks = [[long(30, "What?", "sad"), long(60)], [long(1, "What?", "happy"), long(2, "Longer?")]]
    for targets in ((), ("valence",)):
        model = language_model("tiny-qwen2.5-vl", None, prefix=2, targets=targets)
        inputs, answers, seen = inputs_of(model, talks), answers_of(model), list[Tensor]()

        def look(_: object, __: object, named: dict[str, Any], seen: Any = seen) -> None:
            seen.append(named["position_ids"])

        model.model.get_decoder().register_forward_pre_hook(look, with_kwargs=True)
        expected = positions(model.model, inputs)["position_ids"]
        last = expected[0, :, -1] + 2  # the prefix's two tokens
        if targets:
            model.values(inputs)
        else:
            model.log_likelihoods(inputs, answers)
            [_, behind] = seen
            assert (behind[:, :: len(answers), 0] == last + 1).all()
            model.write(inputs, 2)
            assert torch.equal(seen[2], seen[0])
            assert (seen[3][-3:, :, 0] == last + 1).all()
            model(**append_answers(inputs, answers[:2], model.backbone))
            length = expected.shape[2] + 2
            assert torch.equal(seen[-1][:, :, :length], seen[0])
            assert (seen[-1][:, :, length] == last + 1).all()
        assert (seen[0][:, :, -1] == last).all()


def test_others_stand_where_transformers_has_them() -> None:
    assert positions(load("tiny-smolvlm", "hub").model, {}) == {}
    backbone = load("tiny-qwen3-vl", "hub")  # whose frames are images, after their times as text
    inputs = backbone.inputs([[long(60)], [long(9, "Longer?")]])
    names = ("input_ids", "mm_token_type_ids", "video_grid_thw", "attention_mask")
    stock, _ = backbone.model.model.get_rope_index(**{name: inputs[name] for name in names})
    assert torch.equal(positions(backbone.model, inputs)["position_ids"], stock)
