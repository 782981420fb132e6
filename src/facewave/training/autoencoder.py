"""Pretraining a vision transformer as a masked autoencoder, on faces without labels.

He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022: three quarters of a
picture's patches are hidden, and what is in them is to be told from the rest. ``accelerate launch``
starts several processes. What an epoch draws follows from the seed and the epoch's number alone, so
a killed run resumes to the same weights.

Legend of names: b pictures of a batch, C = 3 colours, H and W pixels, P patches.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import ViTMAEForPreTraining, get_cosine_schedule_with_warmup

from facewave.errors import UserError
from facewave.models.vision import vit_mae
from facewave.models.vision.network import IMAGENET_MEAN, IMAGENET_STD, FaceNetworkConfig
from facewave.on_torch import enough_memory
from facewave.prompts.frames import draw_seed
from facewave.training.checkpoints import load_state, save_state
from facewave.training.unlabelled import Mixed, Pictures, Shown

HELD_OUT = 0.05  # share of the clips or pictures whose loss is shown
# He et al. learn at 2.4e-3 with 4096 pictures a step; AdamW's rate goes with the root of these
# (Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", NeurIPS 2022).
_LR, _PER = 2.4e-3, 4096
_BETAS, _WEIGHT_DECAY = (0.9, 0.95), 0.05
_WARM_UP = 0.05  # share of the steps
_WORKERS = 8  # processes that decode, at most, where a GPU would wait for them


@dataclass(frozen=True)
class Settings:
    """How an autoencoder is pretrained."""

    epochs: int
    batch_size: int  # of each process
    side: int  # px
    width: float  # share of ViT-B's
    seed: int


@dataclass
class Progress:
    """How far a run is."""

    losses: list[dict[str, float]] = field(default_factory=list)  # of each epoch
    unreadable: list[int] = field(default_factory=list)  # pictures


def build(settings: Settings) -> ViTMAEForPreTraining:
    """A fresh autoencoder, as the seed draws it.

    Raises:
        UserError: a face is no whole number of patches.
    """
    if settings.side % vit_mae.PATCH:
        raise UserError(
            f"--side {settings.side}: a face is cut into patches of {vit_mae.PATCH} pixels, so its "
            f"side must be a multiple of that, such as "
            f"{max(1, settings.side // vit_mae.PATCH) * vit_mae.PATCH}."
        )
    torch.manual_seed(settings.seed)
    config = FaceNetworkConfig("vit_mae", (), width=settings.width, side=settings.side)
    return vit_mae.autoencoder(config)


@enough_memory("Lower --batch-size or --side.")
def train(
    model: ViTMAEForPreTraining,
    pictures: Pictures,
    settings: Settings,
    checkpoint: Path,
    report: Callable[[Progress], None],
) -> Progress:
    """Train an autoencoder with AdamW, in place; it ends on the CPU.

    Args:
        model: fresh.
        pictures: all of them; some are held out.
        settings: see there.
        checkpoint: the file that a killed run resumes from, written after each epoch.
        report: told of every epoch, in the main process.

    Raises:
        UserError: there are too few pictures, none can be read, the training diverged, or the GPU's
            memory is too small.
    """
    run = _Run(model, pictures, settings)
    run.resume(checkpoint)
    for epoch in range(len(run.progress.losses), settings.epochs):
        losses = run.epoch(epoch)
        if not math.isfinite(losses["train_loss"]):
            raise UserError(
                f"the loss is not a number in epoch {epoch}: training diverged. Choose a smaller "
                "--batch-size."
            )
        run.progress.losses.append({"epoch": epoch, **losses})
        if run.accelerator.is_main_process:
            save_state(checkpoint, run.state())
            report(run.progress)
        run.accelerator.wait_for_everyone()
    model.cpu()
    return run.progress


def standardised(faces_bCHW: Tensor) -> Tensor:
    """Faces, uint8 RGB, as the network takes them."""
    mean, std = (
        torch.tensor(colours, device=faces_bCHW.device)[:, None, None]
        for colours in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (faces_bCHW / 255 - mean) / std


class _Run:
    """A training under way."""

    def __init__(self, model: ViTMAEForPreTraining, pictures: Pictures, settings: Settings) -> None:
        self.model, self.settings, self.progress = model, settings, Progress()
        has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        self.accelerator = Accelerator(mixed_precision="bf16" if has_bf16 else "no")
        learnt_n, held_out_n = pictures.divided(HELD_OUT)
        self.shown = Shown(pictures, learnt_n, settings.side, settings.seed)
        self.order = Mixed(pictures.blocks_n[learnt_n], settings.seed)
        self.batches = self._loader(self.shown, sampler=self.order)
        self.held_out = self._loader(Shown(pictures, held_out_n, settings.side, None))
        self.wrapped = self.accelerator.prepare_model(model)
        self.optimizer = self.accelerator.prepare_optimizer(self._optimizer())
        steps = settings.epochs * len(self.batches)
        self.schedule = get_cosine_schedule_with_warmup(
            self.optimizer.optimizer, math.ceil(_WARM_UP * steps), steps
        )

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train an epoch; the losses and the learning rate that it ended with."""
        self.shown.epoch = self.order.epoch = epoch
        self.wrapped.train()
        total, count = self._over(self.batches, epoch, learns=True)
        self.wrapped.eval()
        with torch.inference_mode():
            held_total, held_count = self._over(self.held_out, epoch, learns=False)
        rate = float(self.schedule.get_last_lr()[0])
        return {
            "train_loss": total / count, "held_out_loss": held_total / held_count, "lr": rate,
        }  # fmt: skip

    def _over(self, batches: Any, epoch: int, learns: bool) -> tuple[float, float]:
        """The sum of the pictures' losses, and their number; the held-out ones' masks stay."""
        process = self.accelerator.process_index
        drawn = (epoch, f"process {process}") if learns else (0, f"held out {process}")
        draw = torch.Generator().manual_seed(draw_seed(self.settings.seed, *drawn))
        device = self.accelerator.device
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        unreadable = set(self.progress.unreadable)
        title = f"epoch {epoch + 1} of {self.settings.epochs}"
        hidden = not learns or not self.accelerator.is_local_main_process
        for faces_bCHW, unreadable_b in tqdm(batches, title, unit="batch", disable=hidden):
            n_patches = (self.settings.side // vit_mae.PATCH) ** 2
            noise_bP = torch.rand(len(faces_bCHW), n_patches, generator=draw).to(device)
            loss = self.wrapped(standardised(faces_bCHW), noise=noise_bP).loss
            if learns:
                self.optimizer.zero_grad()
                self.accelerator.backward(loss)
                self.optimizer.step()
                self.schedule.step()
            sums[0] += loss.detach() * len(faces_bCHW)
            sums[1] += len(faces_bCHW)
            gathered = self.accelerator.gather(unreadable_b)
            unreadable |= {int(at) for at in gathered if at >= 0}
        self.progress.unreadable = sorted(unreadable)
        total, count = self.accelerator.reduce(sums).tolist()
        return total, count

    def _optimizer(self) -> torch.optim.Optimizer:
        """AdamW; biases and norms do not decay."""
        learnt = [weight for weight in self.model.parameters() if weight.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [weight for weight in learnt if weight.ndim > 1]},
            {"params": [weight for weight in learnt if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        n_together = self.settings.batch_size * self.accelerator.num_processes
        rate = _LR * math.sqrt(n_together / _PER)
        return torch.optim.AdamW(groups, rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY)

    def _loader(self, shown: Shown, **options: Any) -> Any:
        has_gpu = torch.cuda.is_available()
        loader = DataLoader(
            shown,
            self.settings.batch_size,
            num_workers=min(_WORKERS, os.cpu_count() or 1) if has_gpu else 0,
            pin_memory=has_gpu,
            **options,
        )
        return self.accelerator.prepare_data_loader(loader)

    def state(self) -> dict[str, Any]:
        """What a killed run goes on from."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return parts | {"progress": vars(self.progress)}

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        if state := load_state(checkpoint):
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.progress = Progress(**state["progress"])

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
