"""The real configurations have as many parameters as the weights on the hub."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from facewave.models.vlm.families import FAMILIES

# As the hub counts them, each tensor once; PaliGemma's and InternVL's it gives as 3.03 and 2.09
# billion.
PARAMETERS = {
    "paligemma2": 3_032_242_416,
    "gemma3": 4_300_079_472,
    "qwen2.5-vl": 3_754_622_976,
    "qwen3-vl": 4_437_815_808,
    "internvl3": 2_088_883_712,
    "smolvlm2": 2_246_784_880,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_configuration_has_the_parameters_of_its_weights(name: str) -> None:
    family = FAMILIES[name]
    assert family.published
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(family.published())
    assert model.config.model_type == family.type
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[name]
    for part in (family.vision, family.projector):
        assert any(True for _ in model.get_submodule(part).parameters())


def test_every_family_whose_weights_are_large_has_its_configuration() -> None:
    assert {name for name, family in FAMILIES.items() if family.published} == set(PARAMETERS)
