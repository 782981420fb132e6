"""LoRA beside a backbone's projections: added, switched off, in PEFT's format, or merged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from facewave.params import Lora

_VISION = r".*(vision|visual).*"  # modules in which the targets have namesakes
# Of train.language.lora.targets: the projections, by the names that all families share.
_ATTENTION = ["q_proj", "v_proj"]
_PROJECTIONS = {
    "attention": _ATTENTION,
    "all": [*_ATTENTION, "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def add(backbone: nn.Module, lora: Lora) -> None:
    """Add the low-rank matrices, drawn from torch's global generator, and freeze all else."""
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_PROJECTIONS[lora.targets],
        exclude_modules=_VISION,
    )
    inject_adapter_in_model(config, backbone)


@contextmanager
def disabled(backbone: nn.Module) -> Iterator[None]:
    """Switch the low-rank matrices off: the backbone answers as it was."""
    layers = [layer for _, layer in _layers(backbone)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def adapter(
    backbone: nn.Module, source: str, revision: str
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The low-rank matrices as PEFT writes them: adapter_config.json, and the tensors by name.

    ``peft.PeftModel.from_pretrained`` puts them beside the weights that ``source``, an id of the
    hub or a folder, has at ``revision``.
    """
    model: Any = backbone
    settings = model.peft_config["default"].to_dict()
    config = {name: sorted(x) if isinstance(x, set) else x for name, x in settings.items()}
    config |= {
        "base_model_name_or_path": source,
        "revision": revision or None,
        "inference_mode": True,
    }
    tensors: dict[str, Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    named = {f"base_model.model.{name}": x.contiguous().cpu() for name, x in tensors.items()}
    return dict(sorted(config.items())), named


def merge(backbone: nn.Module) -> None:
    """Add the low-rank matrices to the weights, in place: a model of transformers alone is left."""
    for name, layer in _layers(backbone):
        layer.merge()
        backbone.set_submodule(name, layer.get_base_layer())
    del backbone.peft_config


def _layers(backbone: nn.Module) -> list[tuple[str, LoraLayer]]:
    return [(name, x) for name, x in backbone.named_modules() if isinstance(x, LoraLayer)]
