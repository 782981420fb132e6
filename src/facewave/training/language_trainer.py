"""Training what is added to a language model's frozen weights, with transformers' Trainer.

It runs on a CPU, a GPU or several (``accelerate launch``), and resumes after a kill to the same
losses. Checkpoints hold what is trained, never the backbone.
"""

import json
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from facewave.models.vlm.backbones import precision
from facewave.models.vlm.model import Inputs, LanguageModel
from facewave.on_torch import enough_memory
from facewave.params import Language
from facewave.prompts.answers import to_device, workers
from facewave.prompts.examples import Collator, Examples
from facewave.training import losses, reinforcement
from facewave.training.language_callbacks import Best, Epochs, Reporter
from facewave.training.loop import Report
from facewave.training.sampling import Order

_REPORTS, _SAVES = 20, 4  # per epoch, at most
_WEIGHTS = "model.safetensors"
_REMEDY = (
    "Lower train.language.batch_size (and raise accumulation), frames or side, or set "
    "checkpointing: always."
)


def fit(
    module: LanguageModel,
    train: Examples,
    val: Examples,
    settings: Language,
    seed: int,
    folder: Path,
    report: Report,
    draws_n: Tensor | None = None,
) -> None:
    """Train with AdamW and keep the weights of the epoch with the lowest validation loss.

    Without validation clips the last epoch's are kept. The seed is of the order of the clips and of
    dropout; ``folder`` has this run's own checkpoints, from which it resumes; ``draws_n`` says how
    often to draw each training clip (None: each once in an epoch).

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
        report_to=[],
        prediction_loss_only=not is_regression,
        disable_tqdm=True,
        label_names=["targets_nT" if is_regression else "labels"],
        remove_unused_columns=False,
        dataloader_num_workers=workers(),
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # on several, Trainer would copy the model to each
    module.checkpoint_gradients(settings.checkpointing)
    best, order = Best(module, folder), Order(len(train), draws_n, seed)
    trainer = _Trainer(
        settings,
        order,
        model=_Wrapped(module),
        args=arguments,
        train_dataset=train,
        eval_dataset=val if len(val) else None,
        data_collator=Collator.of(module, answered=True),
        callbacks=[best, Reporter(report), Epochs(train, order)],
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
    def __init__(self, settings: Language, order: Order, model: _Wrapped, **more: Any) -> None:
        super().__init__(model=model, **more)
        self._settings, self._order, self._module = settings, order, model.module
        self.model_accepts_loss_kwargs = False  # losses are means over clips

    def training_step(
        self,
        model: nn.Module,
        inputs: Inputs,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        learn = super().training_step
        if self._settings.mode != "reinforce":
            return learn(model, inputs, num_items_in_batch)
        inputs = to_device(inputs, self._module)
        *others, last = reinforcement.drawn(self._module, inputs, self._settings)
        with self.accelerator.no_sync(model):  # several processes share gradients once
            lost = [learn(model, batch) for batch in others]
        return torch.stack([*lost, learn(model, last)]).sum()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Inputs,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        inputs = to_device(inputs, self._module)
        if self._settings.mode == "reinforce" and not model.training:
            rewarded = reinforcement.loss(self._module, inputs, self._settings)
            return (rewarded, {}) if return_outputs else rewarded
        targets_nT = inputs.pop("targets_nT", None)
        outputs = model(**inputs)
        loss = outputs.get("loss")
        if targets_nT is not None:
            loss = _regression_loss(self._module, self._settings, outputs["values"], targets_nT)
        return (loss, outputs) if return_outputs else loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self._order

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self._module.trained(), folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._module.load_trained(load_file(Path(resume_from_checkpoint) / _WEIGHTS))


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
