"""``facewave export-model``: a finetuned language model for other tools, and for other machines.

The folder is a trained model as ``--model`` takes it, whose backbone is in it: ``merged/``, of
transformers. ``adapter/`` is its LoRA alone, of PEFT.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from facewave import params
from facewave.app.models import measured
from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.vlm import lora
from facewave.training import cards
from facewave.training import schema as training
from facewave.training.language_model import MERGED, TrainedLanguageModel, read


def export_model(out: Path, folder: Path | None = None) -> None:
    """Write a language model with all that it needs; the same model gives the same bytes.

    ``merged/`` are the whole weights, with LoRA and a trained projector in them, in the precision
    in which this machine loads them. What transformers and PEFT cannot hold lies beside it as stage
    train writes it: face tokens, prefix, regression head. README.md is the card.

    Args:
        out: a folder that is not there yet.
        folder: the model's; None: that of the first partition.

    Raises:
        UserError: ``out`` is there, or there is no trained language model.
    """
    if out.exists():
        raise UserError(f"{out} is there already. Delete it, or name another folder.")
    if folder is None:
        folder = training.folder(params.load().train.partitions[0], training.MODEL)
    config, _ = read(folder)
    if config["model"]["mode"] == "zero_shot":
        raise UserError(
            f"{folder} has learnt nothing: it is its backbone, as whoever made it publishes it. "
            "Set train.language.mode to pretrain or finetune, and train."
        )
    config["model"]["quantized"] = False  # whatever it learnt beside, whole weights are written
    trained = TrainedLanguageModel.load(folder, config)
    trained.about = {"figures": measured(folder)} | trained.about
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        _write(trained, Path(temporary) / out.name)
        (Path(temporary) / out.name).rename(out)
    print(f"{out}: facewave predict CLIP --model {out}; README.md says what else is in it")


def _write(trained: TrainedLanguageModel, out: Path) -> None:
    module, source, prompt = trained.module, trained.source, trained.describe()["prompt"]
    backbone, has_lora = module.backbone, module.config.lora is not None
    if has_lora:
        settings, tensors = lora.adapter(module.model, *source)
        write_json(out / "adapter/adapter_config.json", settings)
        save_file(tensors, out / "adapter/adapter_model.safetensors", {"format": "pt"})
        lora.merge(module.model)
    module.model.requires_grad_(False)
    module.model.save_pretrained(out / MERGED)
    backbone.processor.save_pretrained(out / MERGED)
    module.config = replace(
        module.config, weights=MERGED, revision="", lora=None, projector=False, quantized=False
    )
    training.save(trained, out)
    with replacing(out / "README.md") as temporary:
        card = cards.of_export(trained.card(), *source, prompt, has_lora)
        temporary.write_text(card, "utf-8")
