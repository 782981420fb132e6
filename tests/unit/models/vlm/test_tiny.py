"""The tiny models are the same every time, and disturb nobody."""

import hashlib

import pytest
import torch

from facewave.models.vlm.backbones import FAMILIES, load
from facewave.params import LanguageModelKind
from making_language import KINDS, turn


def digest(model: torch.nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_bytes_whatever_the_seed_which_stays(name: str) -> None:
    torch.manual_seed(5)
    first, processor = FAMILIES[name].tiny()
    drawn = torch.rand(3)
    torch.manual_seed(6)
    second, again = FAMILIES[name].tiny()
    assert digest(first) == digest(second)
    assert processor.tokenizer.get_vocab() == again.tokenizer.get_vocab()
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_they_take_as_much_text_and_as_many_pictures_as_there_are(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    rows = backbone.model.get_input_embeddings().num_embeddings
    assert len(backbone.processor.tokenizer) <= rows
    said = "Wie heißt das? 😀"
    ids = backbone.processor.tokenizer(said, add_special_tokens=False)["input_ids"]
    assert backbone.processor.tokenizer.decode(ids) == said
    few, many = (backbone.inputs([[turn(frames=n)]])["input_ids"].shape[1] for n in (4, 8))
    assert many > few
