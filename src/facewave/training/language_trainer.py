"""Training what is added to a language model's frozen weights, with transformers' Trainer.

It runs on a CPU, a GPU or several (``accelerate launch``), and resumes after a kill to the same
losses. Checkpoints hold what is trained, never the backbone.
"""

import json
import math
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.vlm.backbones import precision
from facewave.models.vlm.model import Inputs, LanguageModel
from facewave.on_torch import enough_memory
from facewave.params import Language
from facewave.prompts.answers import to_device, workers
from facewave.prompts.examples import Example, Examples, collate
from facewave.training import losses
from facewave.training.loop import Report

_REPORTS, _SAVES = 20, 4  # per epoch, at most
_WEIGHTS = "model.safetensors"
_REMEDY = (
    "Lower train.language.batch_size (and raise accumulation), frames or side, or set "
    "checkpointing: true."
)
_BEST, _BEST_FACTS = "best.safetensors", "best.json"


def fit(
    module: LanguageModel,
    train: Examples,
    val: Examples,
    settings: Language,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    """Train with AdamW and keep the weights of the epoch with the lowest validation loss.

    Without validation clips the last epoch's are kept. The seed is of the order of the clips and of
    dropout; ``folder`` has this run's own checkpoints, from which it resumes.

    Raises:
        UserError: it diverged.
    """
    is_regression = bool(module.config.targets)
    batches = math.ceil(len(train) / (settings.batch_size * PartialState().num_processes))
    steps = math.ceil(batches / settings.accumulation)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.inference_batch_size,
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=settings.epochs,
        lr_scheduler_type="cosine",
        warmup_steps=round(settings.warmup * steps * settings.epochs),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        bf16=precision() == torch.bfloat16,
        fp16=precision() == torch.float16,
        use_cpu=PartialState().device.type == "cpu",
        seed=seed,
        data_seed=seed,
        logging_nan_inf_filter=False,
        logging_steps=max(1, steps // _REPORTS),
        eval_strategy="epoch" if len(val) else "no",
        save_steps=max(1, steps // _SAVES),
        save_total_limit=1,
        report_to=[],
        prediction_loss_only=not is_regression,
        disable_tqdm=True,
        label_names=["targets_nT" if is_regression else "labels"],
        remove_unused_columns=False,
        dataloader_num_workers=workers(),
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )
    arguments._n_gpu = min(
        arguments.n_gpu, 1
    )  # of several, Trainer would make copies (DataParallel)
    if settings.checkpointing:
        module.checkpoint_gradients()
    best = _Best(module, folder)
    trainer = _Trainer(
        settings,
        model=_Wrapped(module),
        args=arguments,
        train_dataset=train,
        eval_dataset=val if len(val) else None,
        data_collator=partial(_collate, module, not is_regression),
        callbacks=[best, _Reporter(report), _Epochs(train)],
        compute_metrics=partial(_loss_over_all, module, settings) if is_regression else None,
        optimizers=(_optimizer(module, settings), None),
    )
    trainer.remove_callback(PrinterCallback)
    with enough_memory(_REMEDY):
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    trainer.accelerator.wait_for_everyone()
    best.restore()
    trainer.accelerator.wait_for_everyone()
    # Its mixed precision wraps the model's forward, which would keep the model alive.
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    trainer.accelerator.free_memory()
    module.eval()


def _optimizer(module: LanguageModel, settings: Language) -> torch.optim.Optimizer:
    """AdamW with a learning rate for each kind of weights; of matrices alone weights decay."""
    groups = [
        {"params": some, "lr": getattr(settings.lr, kind), "weight_decay": decay}
        for kind, weights in module.groups().items()
        for decay, some in (
            (settings.weight_decay, [weight for weight in weights if weight.ndim > 1]),
            (0.0, [weight for weight in weights if weight.ndim < 2]),
        )
        if some
    ]
    return torch.optim.AdamW(groups, fused=torch.cuda.is_available())


class _Wrapped(nn.Module):
    """Hides the module's ``config``, which Trainer would take for one of transformers'."""

    def __init__(self, module: LanguageModel) -> None:
        super().__init__()
        self.module = module

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = self.module(**inputs)
        return outputs


class _Trainer(Trainer):
    def __init__(self, settings: Language, model: _Wrapped, **arguments: Any) -> None:
        super().__init__(model=model, **arguments)
        self._settings, self._module = settings, model.module
        self.model_accepts_loss_kwargs = False  # losses are means over clips

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Inputs,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        inputs = to_device(inputs, self._module)
        targets_nT = inputs.pop("targets_nT", None)
        outputs = model(**inputs)
        loss = outputs.get("loss")
        if targets_nT is not None:
            loss = _regression_loss(self._module, self._settings, outputs["values"], targets_nT)
        return (loss, outputs) if return_outputs else loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self._module.trained(), folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._module.load_trained(load_file(Path(resume_from_checkpoint) / _WEIGHTS))


class _Best(TrainerCallback):
    """Keeps the weights with the lowest validation loss in a file, so that a kill loses nothing.

    An epoch's last checkpoint is written after its evaluation, so that resuming skips none.
    """

    def __init__(self, module: LanguageModel, folder: Path) -> None:
        self._module, self._folder = module, folder

    def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        loss = _figures(more["metrics"])["val_loss"]
        if state.is_world_process_zero and loss < self._lowest():
            with replacing(self._folder / _BEST) as temporary:
                save_file(self._module.trained(), temporary)
            write_json(self._folder / _BEST_FACTS, {"eval_loss": loss, "step": state.global_step})

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if math.isclose(state.epoch, round(state.epoch)):  # saved once it is evaluated
            control.should_save = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        control.should_save = True

    def restore(self) -> None:
        if (self._folder / _BEST_FACTS).exists():
            self._module.load_trained(load_file(self._folder / _BEST))

    def _lowest(self) -> float:
        facts = self._folder / _BEST_FACTS
        return float(json.loads(facts.read_bytes())["eval_loss"]) if facts.exists() else math.inf


class _Epochs(TrainerCallback):
    """Sets the epoch of the clips, which draw other frames in each."""

    def __init__(self, train: Examples) -> None:
        self._train = train

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._train.set_epoch(int(state.epoch or 0))


class _Reporter(TrainerCallback):
    def __init__(self, report: Report) -> None:
        self._report = report
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.is_world_process_zero:
            for logs in state.log_history:  # from before a kill
                self._report(logs["step"], _figures(logs))
            total, done = state.max_steps, state.global_step
            self._bar = tqdm(desc="steps", total=total, leave=False, initial=done)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._bar:
            self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._bar:
            self._bar.close()

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
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


def _regression_loss(
    module: LanguageModel, settings: Language, values_nT: Tensor, targets_nT: Tensor
) -> Tensor:
    head: Any = module.head
    predicted_nT, actual_nT = (head.standardized(x) for x in (values_nT, targets_nT))
    weights_n = torch.ones_like(actual_nT[:, 0])
    return losses.of_numbers(settings.objective, predicted_nT, actual_nT, weights_n)


def _loss_over_all(module: LanguageModel, settings: Language, outputs: Any) -> dict[str, float]:
    """A regression's loss over all validation clips, which is no mean over batches."""
    device = next(module.parameters()).device
    both = (torch.from_numpy(x).to(device) for x in (outputs.predictions, outputs.label_ids))
    return {"over_all": _regression_loss(module, settings, *both).item()}


def _last_checkpoint(folder: Path) -> str | None:
    """The last whole checkpoint; damaged ones are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    while checkpoint := get_last_checkpoint(str(folder)):
        try:
            json.loads((Path(checkpoint) / "trainer_state.json").read_text("utf-8"))
            load_file(Path(checkpoint) / _WEIGHTS)
        except (FileNotFoundError, ValueError, SafetensorError):
            shutil.rmtree(checkpoint)
        else:
            return checkpoint
    return None


def _collate(module: LanguageModel, answered: bool, examples: list[Example]) -> Inputs:
    inputs = collate(module, examples, answered=answered)
    if not answered:
        targets = [torch.from_numpy(example.targets_T).float() for example in examples]
        inputs["targets_nT"] = torch.stack(targets)
    return inputs
