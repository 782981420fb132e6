"""What happens beside the steps of a language model's training: best weights, epochs, reports."""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm
from transformers import TrainerCallback

from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.vlm.backbones import precision
from facewave.models.vlm.model import LanguageModel
from facewave.prompts.examples import Examples
from facewave.training.loop import Report
from facewave.training.sampling import Order

_BEST, _BEST_FACTS = "best.safetensors", "best.json"


class Best(TrainerCallback):
    """Keeps the weights with the lowest validation loss in a file, so that a kill loses nothing.

    Of checkpoints it keeps the last. An epoch's last one is written after its evaluation, so that
    resuming skips none.
    """

    def __init__(self, module: LanguageModel, folder: Path) -> None:
        self._module, self._folder = module, folder

    def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Keep the weights if they are the best so far."""
        loss = _figures(more["metrics"])["val_loss"]
        if state.is_world_process_zero and loss < self._lowest():
            with replacing(self._folder / _BEST) as temporary:
                save_file(self._module.trained(), temporary)
            write_json(self._folder / _BEST_FACTS, {"eval_loss": loss, "step": state.global_step})

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Put off an epoch's last checkpoint."""
        if math.isclose(state.epoch, round(state.epoch)):
            control.should_save = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Write it."""
        control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Remove older checkpoints."""
        # Trainer would find out which checkpoints are old by their times, and warn of those.
        for checkpoint in self._folder.glob("checkpoint-*"):
            if state.is_world_process_zero and checkpoint.name != f"checkpoint-{state.global_step}":
                shutil.rmtree(checkpoint)

    def restore(self) -> None:
        """Load the best weights, if there has been a validation."""
        if (self._folder / _BEST_FACTS).exists():
            self._module.load_trained(load_file(self._folder / _BEST))

    def _lowest(self) -> float:
        facts = self._folder / _BEST_FACTS
        return float(json.loads(facts.read_bytes())["eval_loss"]) if facts.exists() else math.inf


class Epochs(TrainerCallback):
    """Sets the epoch of the clips and of their order: each draws anew in every epoch."""

    def __init__(self, train: Examples, order: Order) -> None:
        self._train, self._order = train, order

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Set it."""
        self._order.epoch = int(state.epoch or 0)
        self._train.set_epoch(self._order.epoch)


class Reporter(TrainerCallback):
    """Reports figures, with a progress bar.

    Raises:
        UserError: the training diverged.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Report what was reported before a kill."""
        if state.is_world_process_zero:
            for logs in state.log_history:  # from before a kill
                self._report(logs["step"], _figures(logs))
            total, done = state.max_steps, state.global_step
            self._bar = tqdm(desc="steps", total=total, leave=False, initial=done)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Move the bar."""
        if self._bar:
            self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Close it."""
        if self._bar:
            self._bar.close()

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Report the figures of a step or of the validation."""
        logs = _figures(more["logs"])
        if not math.isfinite(logs.get("train_loss", 0.0)):
            overflow = ", or use a GPU that has bfloat16: on this one float16 overflows"
            raise UserError(
                f"the training loss is not a number in step {state.global_step}: it diverged. "
                f"Lower train.language.lr{overflow * (precision() == torch.float16)}."
            )
        if logs and state.is_world_process_zero:
            self._report(state.global_step, logs)


def _figures(logs: Mapping[str, Any]) -> dict[str, float]:
    """Trainer's figures by our names; the last name wins, over a mean over batches."""
    names = {"loss": "train_loss", "eval_loss": "val_loss", "learning_rate": "learning_rate"}
    names |= {"eval_over_all": "val_loss"}
    return {ours: float(logs[name]) for name, ours in names.items() if name in logs}
