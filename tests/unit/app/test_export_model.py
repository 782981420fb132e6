"""A finetuned language model for PEFT, for transformers and for ``facewave predict``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from facewave import params
from facewave.app.export_model import export_model
from facewave.app.models import choose
from facewave.errors import UserError
from facewave.models.vlm.backbones import load
from facewave.models.vlm.families import FAMILIES
from facewave.params import Language, LanguageModelKind
from facewave.training import schema
from facewave.training.language_model import TrainedLanguageModel
from facewave.workspace import Dataset
from language_project import SHOWN, write_model, write_project
from making import contents
from making_language import KINDS, answers_of, inputs_of, language_model, turn
from running import ROOT

WAVELETS = {"encoder": {"name": "none"}, "sides": "apart", "k": 10, "transform": "energy",
            "wavelet": "haar"}  # fmt: skip
PLAIN = ([turn("Who?")], [turn("And how does this one feel?", seed=1)])


def settings() -> Language:
    default = params.load(ROOT / "params.yaml").train.language
    return replace(default, **SHOWN | {"face_tokens": 3, "mode": "finetune"})


def trained(kind: LanguageModelKind, **added: Any) -> TrainedLanguageModel:
    module = language_model(kind, **added)
    about = {"dataset": "demo", "partition": "split", "clips": 3, "synthetic": True}
    about |= {"elsewhere": {"before": -2.0, "after": -2.25, "tokens": 9}}
    return TrainedLanguageModel(module, settings(), ["blendshapes"], WAVELETS, (), about)


@torch.inference_mode()
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # PEFT's
@pytest.mark.parametrize("kind", KINDS[::3])
def test_others_load_it_with_the_same_answers_and_so_do_we(
    kind: LanguageModelKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = trained(kind, lora=True, prefix=2, projector=kind == "tiny-smolvlm")
    schema.save(before, Path("model"))
    for name in ("first", "second"):
        export_model(Path(name), Path("model"))
    assert contents(Path("first")) == contents(Path("second"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "model", "second"]
    plain = before.module.backbone.inputs(PLAIN)
    logits = before.module.model(**plain).logits
    merged = AutoModelForImageTextToText.from_pretrained("first/merged", use_safetensors=True)
    near: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(merged(**plain).logits, logits, **near)
    processor = AutoProcessor.from_pretrained("first/merged")
    ids = processor.tokenizer("Why?")["input_ids"]
    assert ids == before.module.backbone.processor.tokenizer("Why?")["input_ids"]
    family: Any = kind.removeprefix("tiny-")
    backbone = load(family, "first/merged")  # as train.language.weights
    torch.testing.assert_close(backbone.model(**plain).logits, logits, **near)
    stock = FAMILIES[family].tiny()[0].eval()
    own = stock(**plain).logits
    assert (own - logits).abs().max() > 1e-3
    beside = peft.PeftModel.from_pretrained(stock, "first/adapter")
    if not before.module.config.projector:  # which PEFT cannot hold
        torch.testing.assert_close(beside(**plain).logits, logits, **near)
    after = schema.load(Path("first"))
    assert isinstance(after, TrainedLanguageModel)
    found, expected = (
        model.module.log_likelihoods(inputs_of(model.module), answers_of(model.module))
        for model in (after, before)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert {name.partition(".")[0] for name in after.module.trained()} == {"faces", "prefix"}
    assert after.about == before.about | {"figures": {}}
    assert str(tmp_path) not in b" ".join(contents(Path("first")).values()).decode("latin-1")


def test_the_card_tells_what_is_there_and_whose_the_backbone_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with_lora, without = trained("tiny-smolvlm", lora=True), trained("tiny-smolvlm")
    schema.save(with_lora, Path("model"))
    schema.save(without, Path("plain"))
    export_model(Path("out"), Path("model"))
    export_model(Path("bare"), Path("plain"))
    card, bare = (Path(name, "README.md").read_text() for name in ("out", "bare"))
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert with_lora.card() in card
    assert "-2.250 nats a token, -2.000 before (-0.250)" in card
    assert "These are frames of a clip of a person. How the face moves: <face>." in card
    assert "peft.PeftModel" in card
    assert "peft.PeftModel" not in bare
    assert sorted(path.name for path in Path("bare").iterdir()) == [
        "README.md", "config.json", "merged", "model.safetensors",
    ]  # fmt: skip
    # Weights of the hub: by name and commit, in the card and in PEFT's settings.
    config = with_lora.module.config
    with_lora.module.config = replace(config, kind="smolvlm", revision="c0ffee")
    assert with_lora.source == ("HuggingFaceTB/SmolVLM-256M-Instruct", "c0ffee")
    with_lora.module.config = replace(config, kind="smolvlm", weights=str(tmp_path))
    assert with_lora.source == ("", "")
    adapter = json.loads(Path("out/adapter/adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"], adapter["peft_type"]) == (4, 8, "LORA")
    assert adapter["base_model_name_or_path"] == ""


def test_predict_answers_with_what_was_exported_and_what_cannot_be_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    write_model(tmp_path)
    Path("logistic").mkdir()
    Path("logistic/config.json").write_text('{"type": "classifier"}')
    for out, folder, message in (
        (Path("new"), None, r"trained/split/model has learnt nothing"),
        (Path("data"), None, r"data is there already"),
        (Path("new"), Path("logistic"), "not a language model"),
        (Path("new"), Path("nowhere"), "is not here"),
    ):
        with pytest.raises(UserError, match=message):
            export_model(out, folder)
    assert not Path("new").exists()
    own = write_model(tmp_path, faces=True, mode="pretrain", frames=0)
    export_model(Path("new"))
    clips = Dataset("demo", params.load()).clips().select([0, 2])
    ours, theirs = (choose(str(name)).answer(clips) for name in (own, "new"))
    words = [name for name in ours if name.startswith("p_")]
    assert ours[words].to_numpy() == pytest.approx(theirs[words].to_numpy(), abs=1e-6)
    assert ours["predicted"].tolist() == theirs["predicted"].tolist()
