"""Networks whose inputs are read while they train: what they are shown, and as models that answer.

Legend of names: n clips, T moments of a clip, O outputs and W answers of all targets.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from facewave.files import replacing, write_json
from facewave.models.streamed import Streamed
from facewave.on_torch import enough_memory
from facewave.params import Block, Train
from facewave.targets import Target
from facewave.training import leaks
from facewave.training.schema import Trained, answers_of, damaged, is_calibrated
from facewave.workspace import Clips

Example = Mapping[str, NDArray[np.generic]]  # kind -> (T, ...): T may differ, and may be 0
PRIOR = "prior"  # what a clip is answered from that a model cannot judge
_TOGETHER = 16  # clips that are answered at a time


@dataclass(frozen=True)
class Handling:
    """How a network is dealt with in training, beyond ``train.network``."""

    frozen_epochs: int = 0  # first epochs in which the trunk does not learn
    trunk_lr: float = 1.0  # of the learning rate; 0: the trunk never learns
    ema: float = 0.0  # decay of a moving average of the weights; 0: none
    precision: str = "float32"
    workers: int = 0  # processes that read examples


class Examples(TorchDataset[Example], ABC):
    """What a network is shown of clips, read when it is asked for: one example a clip.

    Pictures and sounds stay on the disk, so memory does not grow with the number of clips.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, row: int) -> Example: ...

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in each of which something else may be drawn."""

    def is_mirrored(self, row: int) -> bool:
        """Whether in this epoch an example is its clip's mirror image."""
        return False


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Examples as a batch (models/streamed.py): padded with zeros, and where each has something."""
    batch: dict[str, Tensor] = {}
    for kind in examples[0]:
        arrays = [example[kind] for example in examples]
        longest = max(map(len, arrays))
        padded = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
        there = np.zeros((len(arrays), longest), bool)
        for row, array in enumerate(arrays):
            padded[row, : len(array)], there[row, : len(array)] = array, True
        batch |= {kind: torch.from_numpy(padded), f"{kind}_there": torch.from_numpy(there)}
    return batch


def outputs(module: Streamed, examples: Examples) -> Tensor:
    """A network's outputs of each example, (n, O) float32; it is left where it ran.

    Raises:
        UserError: the GPU's memory is too small.
    """
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    module.to(device).eval()
    loader = DataLoader(examples, _TOGETHER, collate_fn=collate)
    with torch.inference_mode(), enough_memory():
        batches = ({kind: x.to(device) for kind, x in batch.items()} for batch in loader)
        return torch.cat([module(**batch).float().cpu() for batch in batches])


class TrainedStreamed(Trained):
    """A network over what clips have of some kinds, in evaluation mode.

    A subclass says which clips it can judge, what it is shown of them, and how its network is
    built.

    Args (others as in ``Trained``):
        module: the network.
        config: all that rebuilds it and its examples, a dataclass that JSON gives back.
        lineage: what it learnt from, which its file of weights tells wherever it is copied.
    """

    type: ClassVar[str]

    def __init__(
        self,
        module: Streamed,
        config: Any,
        inputs: Sequence[Block],
        wavelets: dict[str, Any],
        about: dict[str, Any],
        lineage: leaks.Lineage = leaks.NOTHING,
    ) -> None:
        self.module, self.config = module, config
        self.kind, self.targets = module.kind, module.targets
        self.inputs, self.wavelets, self.about = tuple(inputs), wavelets, about
        self.lineage = lineage

    @classmethod
    @abstractmethod
    def fresh(cls, kind: str, targets: Sequence[Target], clips: Clips, settings: Train) -> Self:
        """A model that is to be trained, with the weights where it starts.

        ``about`` has what there is to say of these weights. What is random is drawn from torch's
        global generator.

        Args:
            kind: what params.yaml calls it.
            targets: what it is asked.
            clips: any of the dataset's.
            settings: section ``train``.

        Raises:
            UserError: its settings do not go together, or its weights cannot be had.
        """

    @classmethod
    @abstractmethod
    def rebuilt(cls, config: Mapping[str, Any]) -> tuple[Any, Streamed]:
        """A configuration as JSON gives it back, as what it was, and a network of it."""

    @abstractmethod
    def answered_from(self, clips: Clips) -> NDArray[np.str_]:
        """What each clip is answered from, (n,): ``PRIOR`` if it cannot be judged."""

    @abstractmethod
    def examples(self, clips: Clips) -> Examples:
        """What the network is shown of clips, all of which it can judge."""

    def shown(self, clips: Clips, settings: Train) -> Examples:
        """What it is shown of training clips: in each epoch something else may be drawn."""
        return self.examples(clips)

    def handling(self, settings: Train) -> Handling:
        """How its network is dealt with in training."""
        return Handling()

    def fit_inputs(self, examples: Examples) -> None:
        """Fit what precedes the network to the training part's examples, if there is anything."""

    def judged(self, clips: Clips) -> NDArray[np.bool_]:
        """Which clips it can judge, (n,)."""
        return np.asarray(self.answered_from(clips) != PRIOR)

    def answers(self, clips: Clips, softened: float = 1.0) -> Tensor:
        """What the network says of clips that it can judge, (n, W) (``Readout.read``)."""
        if not len(clips):
            return self.module.prior.answer.new_zeros(0, len(self.module.prior.answer)).cpu()
        outputs_nO = outputs(self.module, self.examples(clips))
        with torch.inference_mode():
            return self.module.cpu().read(outputs_nO, softened)

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers of the clips that it can judge; the others get the same as all such clips."""
        answered_from = self.answered_from(clips)
        judged_n = answered_from != PRIOR
        readout = self.module.cpu()
        answers_nW = np.tile(readout.prior.answer.numpy(), (len(clips), 1))
        answers_nW[judged_n] = self.answers(clips.select(judged_n)).numpy()
        margins_nW = np.where(judged_n[:, None], readout.margin.numpy(), np.nan)
        return answers_of(clips, answered_from, self.targets, answers_nW, margins_nW)

    @property
    def calibrated(self) -> bool:
        """Whether enough clips of real people have chosen the temperatures."""
        return is_calibrated(self.about)

    def describe(self) -> dict[str, Any]:
        """The kind, the inputs, how many parameters it has, and what it learnt from."""
        parameters = sum(weight.numel() for weight in self.module.parameters())
        return {
            "kind": self.kind,
            "inputs": list(self.inputs),
            "parameters": parameters,
            "about": self.about,
        }

    def save(self, path: Path) -> None:
        """Write the folder; the same weights give the same bytes."""
        weights = {name: x.cpu().contiguous() for name, x in self.module.state_dict().items()}
        with replacing(path / "model.safetensors") as temporary:
            save_file(weights, temporary, self.lineage.described())
        config = {"type": self.type, "model": asdict(self.config), "inputs": list(self.inputs)}
        write_json(path / "config.json", config | {"wavelets": self.wavelets, "about": self.about})

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> Self:
        """Rebuild a network from its folder."""
        model, module = cls.rebuilt(config["model"])
        try:
            module.load_state_dict(load_file(path / "model.safetensors"))
            lineage = leaks.of_file(path / "model.safetensors") or leaks.NOTHING
        except (SafetensorError, RuntimeError) as error:
            raise damaged(path, error) from None
        of_model = (config["inputs"], config["wavelets"], config["about"], lineage)
        return cls(module.eval(), model, *of_model)
