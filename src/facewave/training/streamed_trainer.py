"""Training a network whose inputs are read while it trains, on a CPU, a GPU or several.

``accelerate launch`` starts several processes, each with batches of its own. What an epoch draws
follows from the seed and the epoch's number alone, so a killed run resumes to the same weights.

Legend of names: n clips, T targets, O outputs and W columns of the truth of all targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from facewave.errors import UserError
from facewave.models.streamed import Streamed
from facewave.on_torch import enough_memory
from facewave.params import Train
from facewave.prompts.frames import draw_seed
from facewave.training import calibration, losses, sampling
from facewave.training.augment import mirrored_truth
from facewave.training.checkpoints import load_state, save_state
from facewave.training.loop import Progress, Report, descend, schedule_of, tells, validated
from facewave.training.losses import TaskLosses
from facewave.training.streamed import Example, Examples, Handling, collate

_CLIP = 1.0  # of the gradients' norm
_STATE = "state.safetensors"
_PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}  # ours -> accelerate's
_REMEDY = (
    "Lower train.network.batch_size, or what is shown of a clip: train.vision.frames and side, or "
    "train.fusion.rate."
)

Batch = tuple[dict[str, Tensor], Tensor, Tensor]  # for the network; truth (n, W); weights (n, T)


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the clips; the truth is NaN where it is not known."""

    examples: Examples
    truth_nW: Tensor
    quality_n: Tensor  # how much each clip counts


def fit(
    module: Streamed,
    train: Part,
    val: Part,
    settings: Train,
    handling: Handling,
    folder: Path,
    report: Report = lambda epoch, figures: None,
) -> Streamed:
    """Train a network with AdamW, and fit what reads its outputs, as ``fit.fit`` does a classifier.

    The weights of the epoch with the lowest validation loss are kept; if ``val`` is empty, the last
    epoch's. With ``handling.ema`` they are moving averages.

    Args:
        module: trained in place, from the weights that it has.
        train: the training part; clips may lack some targets.
        val: the validation part; its examples draw nothing by chance.
        settings: section ``train``.
        handling: see there.
        folder: has this run's checkpoint, from which it resumes.
        report: told of every epoch.

    Returns:
        The module, on the CPU and in evaluation mode.

    Raises:
        UserError: a target has too few training clips, the training diverged, the GPU's memory is
            too small, or float16 is asked for without a GPU.
    """
    calibration.check_labelled(module.targets, train.truth_nW)
    module.prior.fit(train.truth_nW)
    calibration.fit_scale(module, train.truth_nW)
    counts = calibration.counts(module.targets, train.truth_nW)
    with enough_memory(_REMEDY):
        run = _Run(module, train, val, counts, settings, handling)
        run.train(folder, report)
        outputs_nO = run.outputs(module)
    module.cpu().to(memory_format=torch.contiguous_format).eval()
    calibration.fit(module, outputs_nO.cpu(), val.truth_nW, counts)
    return module


class _Run:
    """A training under way."""

    def __init__(
        self,
        module: Streamed,
        train: Part,
        val: Part,
        counts: Mapping[str, Tensor],
        settings: Train,
        handling: Handling,
    ) -> None:
        self.module, self.settings, self.handling = module, settings, handling
        network = settings.network
        self.accelerator = _accelerator(handling)
        loss = losses.TaskLosses(module.targets, network, counts)
        self.learning = _Learning(module, loss).to(memory_format=torch.channels_last)
        trunk = [] if module.trunk is None else list(module.trunk.parameters())
        self.trunk = [weight for weight in trunk if weight.requires_grad]
        if not handling.trunk_lr:
            self._freeze(True)
        self.wrapped = self.accelerator.prepare_model(self.learning)
        self.optimizer = self.accelerator.prepare_optimizer(self._optimizer())
        self.average = (
            AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(handling.ema), use_buffers=True)
            if handling.ema
            else None
        )

        def labelled(part: Part) -> "_Labelled":
            mirrored_nW = mirrored_truth(module.targets, part.truth_nW.numpy())
            (truth_nW, weights_nT), (image_nW, _) = (
                calibration.scaled(module, truth_nW, part.quality_n, counts, settings)
                for truth_nW in (part.truth_nW, torch.from_numpy(mirrored_nW))
            )
            return _Labelled(part.examples, truth_nW, image_nW, weights_nT)

        self.train_set, self.val_set = labelled(train), labelled(val)
        draws_n = None
        if settings.imbalance == "sampler":
            draws_n = sampling.weights(module.targets, train.truth_nW)
        self.order = sampling.Order(len(train.truth_nW), draws_n, settings.seed)
        self.batches = self._loader(self.train_set, sampler=self.order)
        self.val_batches = self._loader(self.val_set)
        self.schedule = schedule_of(self.optimizer.optimizer, network, len(self.batches))
        self.progress = Progress(best={})

    def train(self, folder: Path, report: Report) -> None:
        """Train all epochs that are left, and load the best one's weights."""
        self._resume(folder / _STATE)

        def done() -> None:
            if self.accelerator.is_main_process:
                save_state(folder / _STATE, self._state())
            self.accelerator.wait_for_everyone()

        is_narrow = self.handling.precision == "float16"  # its largest number is 65504
        others = ", or set train.vision.precision to float32 or bfloat16" if is_narrow else ""
        remedy = f"Lower train.network.lr{others}."
        rest = (self.progress, self.settings.network, report, done, remedy)
        descend(self._learn, self._validate, self._weights, *rest)
        self.module.load_state_dict(self.progress.best)

    def outputs(self, network: Streamed) -> Tensor:
        """A network's outputs for the validation part, (n, O)."""
        network.eval()
        outputs = [torch.zeros(0, self.learning.n_outputs, device=self.accelerator.device)]
        with torch.inference_mode(), self.accelerator.autocast():
            for batch, *_ in self.val_batches:
                outputs.append(self.accelerator.gather_for_metrics(network(**batch)).float())
        return torch.cat(outputs)

    def _learn(self, epoch: int) -> float:
        self.train_set.examples.set_epoch(epoch)
        self.order.epoch = epoch
        self.wrapped.train()
        self._freeze(epoch < self.handling.frozen_epochs or not self.handling.trunk_lr)
        process = self.accelerator.process_index
        torch.manual_seed(draw_seed(self.settings.seed, epoch, f"process {process}"))
        total, shown = torch.zeros(2, dtype=torch.float64, device=self.accelerator.device)
        for batch, truth_nW, weights_nT in self.batches:
            self.optimizer.zero_grad()
            value = self.wrapped(batch, truth_nW, weights_nT)
            self.accelerator.backward(value)
            self.accelerator.clip_grad_norm_(self.learning.parameters(), _CLIP)
            self.optimizer.step()
            if self.schedule:
                self.schedule.step()
            if self.average:
                self.average.update_parameters(self.module)
            total += value.detach() * len(truth_nW)
            shown += len(truth_nW)
        total, shown = self.accelerator.reduce(torch.stack([total, shown]))
        return (total / shown).item()

    def _validate(self) -> dict[str, float]:
        truth_nW, weights_nT = self.val_set.truth_nW, self.val_set.weights_nT
        if not tells(self.module.targets, truth_nW, self.settings.network):
            return {}
        with torch.inference_mode():
            outputs_nO = self.outputs(self._evaluated)
            device = outputs_nO.device
            loss = self.learning.loss
            return validated(outputs_nO, truth_nW.to(device), weights_nT.to(device), loss)

    @property
    def _evaluated(self) -> Streamed:
        """The network whose weights count."""
        return cast(Streamed, self.average.module) if self.average else self.module

    def _weights(self) -> dict[str, Tensor]:
        return self._evaluated.state_dict()

    def _freeze(self, is_frozen: bool) -> None:
        """Keep the trunk as it is, the statistics of its batch norm with it, or let it learn."""
        for weight in self.trunk:
            weight.requires_grad_(not is_frozen)
        if self.module.trunk is not None:
            self.module.trunk.train(not is_frozen)

    def _optimizer(self) -> torch.optim.Optimizer:
        network, handling = self.settings.network, self.handling
        of_trunk = set(self.trunk)
        rest = [weight for weight in self.module.parameters() if weight not in of_trunk]
        groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": network.weight_decay}]
        if self.trunk and handling.trunk_lr:
            groups.append(groups[0] | {"params": self.trunk, "lr": handling.trunk_lr * network.lr})
        groups.append({"params": list(self.learning.loss.parameters()), "weight_decay": 0.0})
        return torch.optim.AdamW(groups, network.lr)

    def _loader(self, part: "_Labelled", **options: Any) -> DataLoader[Batch]:
        loader = DataLoader(
            part,
            self.settings.network.batch_size,
            collate_fn=_collate,
            num_workers=self.handling.workers,
            pin_memory=torch.cuda.is_available(),
            **options,
        )
        prepared: DataLoader[Batch] = self.accelerator.prepare_data_loader(loader)
        return prepared

    def _parts(self) -> dict[str, Any]:
        """What has a state, by name."""
        parts = {"learning": self.learning, "optimizer": self.optimizer, "schedule": self.schedule,
                 "average": self.average, "scaler": self.accelerator.scaler}  # fmt: skip
        return {name: part for name, part in parts.items() if part is not None}

    def _state(self) -> dict[str, Any]:
        states = {name: part.state_dict() for name, part in self._parts().items()}
        return states | {"progress": vars(self.progress)}

    def _resume(self, path: Path) -> None:
        if state := load_state(path):
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.progress = Progress(**state["progress"])


class _Learning(nn.Module):
    """A network and its losses as one, so that processes share the gradients of both."""

    def __init__(self, network: Streamed, loss: TaskLosses) -> None:
        super().__init__()
        self.network, self.loss, self.n_outputs = network, loss, sum(loss.widths)

    def forward(self, batch: dict[str, Tensor], truth_nW: Tensor, weights_nT: Tensor) -> Tensor:
        """The loss of a batch, computed in float32 whatever the network's precision."""
        outputs_nO = self.network(**batch)
        with torch.autocast(outputs_nO.device.type, enabled=False):
            value: Tensor = self.loss(outputs_nO.float(), truth_nW, weights_nT)
        return value


class _Labelled(TorchDataset[tuple[Example, Tensor, Tensor]]):
    """Examples with their truth, as outputs should be, also of mirror images, and weights."""

    def __init__(
        self, examples: Examples, truth_nW: Tensor, image_nW: Tensor, weights_nT: Tensor
    ) -> None:
        self.examples, self.truth_nW, self.image_nW = examples, truth_nW, image_nW
        self.weights_nT = weights_nT

    def __len__(self) -> int:
        return len(self.truth_nW)

    def __getitem__(self, row: int) -> tuple[Example, Tensor, Tensor]:
        truth_nW = self.image_nW if self.examples.is_mirrored(row) else self.truth_nW
        return self.examples[row], truth_nW[row], self.weights_nT[row]


def _collate(rows: Sequence[tuple[Example, Tensor, Tensor]]) -> Batch:
    examples, truths, weights = zip(*rows, strict=True)
    return collate(examples), torch.stack(truths), torch.stack(weights)


def _accelerator(handling: Handling) -> Accelerator:
    """Where it trains.

    Raises:
        UserError: float16 is asked for without a GPU.
    """
    if handling.precision == "float16" and not torch.cuda.is_available():
        raise UserError(
            "train.vision.precision: float16 needs a GPU. Set it to float32, the fastest on a CPU."
        )
    AcceleratorState._reset_state()  # the precision of another network of this run
    unused = DistributedDataParallelKwargs(find_unused_parameters=handling.frozen_epochs > 0)
    return Accelerator(mixed_precision=_PRECISIONS[handling.precision], kwargs_handlers=[unused])
