"""Models of transformers, from the Hugging Face hub or a folder: pinned, and never any code.

Weights are read from safetensors files alone, and no code that lies beside them is run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from facewave.errors import UserError
from facewave.files import sha256


@dataclass(frozen=True, eq=False)
class Pinned:
    """Where a model lies, and which version it is."""

    source: str  # a folder, or an id of the hub
    config: Any  # transformers'
    options: dict[str, Any]  # for every ``from_pretrained``
    identity: dict[str, object]  # JSON: of the hub the commit, of a folder the files' hashes

    @property
    def about(self) -> dict[str, str]:
        """What a card tells of it."""
        is_folder = Path(self.source).is_dir()
        address = self.source if is_folder else f"https://huggingface.co/{self.source}"
        return {"licence": "its own", "learnt_on": "see its address", "address": address}


def pin(weights: str) -> Pinned:
    """The version that an id of the hub, ID@REVISION or a folder names now.

    Raises:
        OSError, ValueError: there is none; see ``explained``.
    """
    source, _, revision = (weights, "", "") if Path(weights).is_dir() else weights.partition("@")
    # trust_remote_code: otherwise transformers asks, and a y runs the folder's code.
    options: dict[str, Any] = {"revision": revision or None, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(source, **options)
    options["revision"] = _commit(source, revision) or None
    if options["revision"]:
        return Pinned(source, config, options, {"hub": source, "revision": options["revision"]})
    files = [path for kind in ("*.json", "*.safetensors") for path in Path(source).glob(kind)]
    hashes = {path.name: sha256(path) for path in sorted(files)}
    return Pinned(source, config, options, {"sha256": hashes})


def network(pinned: Pinned, config: Any) -> tuple[Any, set[str]]:
    """A model in float32 and the names of its tensors that are missing, which are random.

    ``config`` is the whole model's, or that of the part that is wanted.
    """
    with _quiet():
        loaded: Any = AutoModel.from_pretrained(
            pinned.source,
            config=config,
            use_safetensors=True,  # other files of weights are pickles
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told with those that are missing
            **pinned.options,
        )
    model, info = loaded
    return model, {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}


def require_complete(name: str, absent: set[str]) -> None:
    """Refuse a model of which tensors are missing.

    Raises:
        UserError: some are.
    """
    if absent:
        raise UserError(
            f"encoder {name}: {len(absent)} tensors are missing or of another shape, as "
            f"{min(absent)}. Name weights that are complete."
        )


@contextmanager
def explained(name: str, advice: str) -> Iterator[None]:
    """Say in one sentence, followed by ``advice``, why an encoder cannot be loaded.

    Raises:
        UserError: it cannot.
    """
    try:
        yield
    except (
        OSError, HFValidationError, KeyError, ValueError, AttributeError, SafetensorError,
    ) as error:  # fmt: skip
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise UserError(f"encoder {name} cannot be loaded ({reason}). {advice}") from None


def _commit(source: str, revision: str) -> str:
    """The commit that a revision named when its configuration was fetched, "" for a folder."""
    if Path(source).is_dir():
        return ""
    file = try_to_load_from_cache(source, "config.json", revision=revision or None)
    return Path(file).parent.name if isinstance(file, str) else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' table of the other tower's weights, and its bar."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
