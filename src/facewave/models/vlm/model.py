"""A vision-language model that may see a face's wavelet numbers, and what is trained beside it.

Legend of names: n clips, S clips shown in a conversation (examples and the one in question), K
steps, D channels, N face tokens, L tokens of a prompt, A of an answer, V of the vocabulary, C
labels, T targets, H hidden size.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional

from facewave.errors import UserError
from facewave.models.vlm import face_tokens
from facewave.models.vlm.backbones import Backbone
from facewave.models.vlm.face_tokens import FaceTokens, placed, text_size
from facewave.models.vlm.prefix import Prefix, prefixed
from facewave.params import LanguageModelKind, Lora

Inputs = dict[str, Tensor]

IGNORED = -100  # as a label: no part of the answer
_ABSENT = 0.1  # of the faces shown in training are hidden
_VISION = r".*(vision|visual).*"  # where LoRA's targets have namesakes


@dataclass(frozen=True)
class LanguageModelConfig:
    """Enough to rebuild what was trained, given the backbone.

    Attributes:
        kind: the backbone's family.
        weights: where its weights came from (backbones.load).
        revision: their commit, "" of a folder or a tiny model.
        mode: what was trained.
        classes: the labels' words.
        targets: what is regressed; none: the answer is words.
        faces: the face tokens' adapter, None without.
        lora: low-rank matrices beside the projections, None without.
        projector: whether the images' projector was trained.
        quantized: whether the backbone is in 4 bits.
        prefix: virtual tokens of prefix tuning, 0 without.
    """

    kind: LanguageModelKind
    weights: str
    revision: str
    mode: Literal["zero_shot", "pretrain", "finetune"]
    classes: tuple[str, ...]
    targets: tuple[str, ...] = ()
    faces: face_tokens.FaceTokensConfig | None = None
    lora: Lora | None = None
    projector: bool = False
    quantized: bool = False
    prefix: int = 0


class Regression(nn.Module):
    """Targets from the last token's state; it learns them with mean 0 and spread 1."""

    mean: Tensor
    scale: Tensor

    def __init__(self, hidden: int, targets: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, targets)
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("scale", torch.ones(targets))

    def fit(self, targets_nT: Tensor) -> None:
        """Take mean and spread from the training part; a target that is constant keeps spread 1."""
        self.mean.copy_(targets_nT.mean(0))
        spread_T = targets_nT.std(0, correction=0)
        self.scale.copy_(torch.where(spread_T > 0, spread_T, 1))

    def standardized(self, targets_nT: Tensor) -> Tensor:
        """Targets as they are learnt, (n, T)."""
        return (targets_nT - self.mean) / self.scale

    def forward(self, states_nH: Tensor) -> Tensor:
        """(n, H) -> (n, T), in the targets' own units."""
        values: Tensor = self.linear(states_nH) * self.scale + self.mean
        return values


class LanguageModel(nn.Module):
    """A backbone with what is trained beside it; the backbone's own weights stay as they are.

    Called with a batch of prompts and answers it gives their loss, as transformers' Trainer wants.
    """

    def __init__(self, config: LanguageModelConfig, backbone: Backbone) -> None:
        """Put the parts together; weights that are not the backbone's are fresh (torch's seed)."""
        super().__init__()
        self.config = config
        self.bare = backbone
        self.model = backbone.model
        self.faces: FaceTokens | None = None
        if config.faces:
            self.faces = FaceTokens(config.faces)
            tokenizer, embedding = backbone.processor.tokenizer, self.model.get_input_embeddings()
            self.faces.size.copy_(text_size(embedding, len(tokenizer)))
        self.head = Regression(backbone.hidden, len(config.targets)) if config.targets else None
        if config.lora:
            _check_targets(self.model, config.lora.targets)
            how = LoraConfig(
                r=config.lora.rank,
                lora_alpha=config.lora.alpha,
                lora_dropout=config.lora.dropout,
                target_modules=list(config.lora.targets),
                exclude_modules=_VISION,
            )
            inject_adapter_in_model(how, self.model)
        if config.projector:  # after LoRA, which freezes all but itself
            self.model.get_submodule(backbone.family.projector).requires_grad_(True)
        self.prefix: Prefix | None = None
        if config.prefix:
            told = ", ".join([*config.classes, *config.targets])
            words = backbone.processor.tokenizer(told, add_special_tokens=False)["input_ids"]
            self.prefix = Prefix(self.model, words, config.prefix)
        device = next(self.model.parameters()).device
        for own in (self.faces, self.head):
            if own is not None:
                own.to(device)
        for weight in self.parameters():  # small steps would be lost in 16 bits
            if weight.requires_grad:
                weight.data = weight.data.float()

    def trained(self) -> Inputs:
        """What is not the stock backbone: trainable parameters and the adapter's buffers."""
        trainable = {name for name, weight in self.named_parameters() if weight.requires_grad}
        return {
            name: tensor.detach()
            for name, tensor in self.state_dict().items()
            if name in trainable or not name.startswith("model.")
        }

    def load_trained(self, tensors: Inputs) -> None:
        """Take what ``trained`` gave.

        Raises:
            ValueError: other tensors than the configuration has, or of other shapes.
        """
        own = self.trained()
        if {name: x.shape for name, x in own.items()} != {n: x.shape for n, x in tensors.items()}:
            raise ValueError("its tensors are not those of its configuration")
        with torch.no_grad():
            for name, tensor in tensors.items():
                own[name].copy_(tensor)

    def checkpoint_gradients(self) -> None:
        """While training, compute a layer's activations again instead of keeping them.

        Raises:
            UserError: there is a prefix, which is not there any more when they are.
        """
        if self.prefix is not None:
            raise UserError(
                "params.yaml: train.language.prefix and train.language.checkpointing do not go "
                "together. Set prefix: 0 or checkpointing: false."
            )
        self.model.activation_checkpointing_enable({"use_reentrant": False})
        # It makes embeddings require gradients, and the frozen vision tower would compute them all.
        self.model.disable_input_require_grads()

    def counts(self) -> tuple[int, int]:
        """How many parameters are trained, and how many there are."""
        sizes = [(weight.numel(), weight.requires_grad) for weight in self.parameters()]
        return sum(size for size, trainable in sizes if trainable), sum(size for size, _ in sizes)

    def forward(
        self,
        labels: Tensor | None = None,
        numbers_nSKD: Tensor | None = None,
        faces_nS: Tensor | None = None,
        **inputs: Tensor,
    ) -> dict[str, Tensor]:
        """The loss of answers, a mean over clips; of a regression its values, (n, T).

        Args:
            labels: (n, A), the answers' tokens at the end of ``input_ids``, ``IGNORED`` where
                there are none: minus the log likelihood of the whole answer, in nats.
            numbers_nSKD: the clips' wavelet numbers, NaN where there is no face.
            faces_nS: whether there is one.
            inputs: the backbone's own (``append_answers`` puts answers behind prompts).
        """
        n_answer = 0 if labels is None else labels.shape[1]
        if numbers_nSKD is not None and faces_nS is not None:
            if self.training:  # else the tokens of an absent face would learn nothing
                faces_nS = faces_nS & (torch.rand(faces_nS.shape) >= _ABSENT).to(faces_nS.device)
            inputs |= {"numbers_nSKD": numbers_nSKD, "faces_nS": faces_nS}
        with self._reading(inputs, n_answer) as inputs:
            if self.head is not None:
                return {"values": self._values(inputs)}
            if labels is None:
                raise ValueError("there is nothing to compare with")
            kept = n_answer + 1  # PaliGemma's logits of all tokens would be gigabytes
            logits_nAV = self.model(**inputs, use_cache=False, logits_to_keep=kept).logits[:, :-1]
        lost = functional.cross_entropy(
            logits_nAV.float().flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )
        return {"loss": lost / len(labels)}

    def values(self, inputs: Inputs) -> Tensor:
        """The regressed targets, (n, T)."""
        with self._reading(inputs) as inputs:
            return self._values(inputs)

    def log_likelihoods(self, inputs: Inputs, answers: Sequence[Sequence[int]]) -> Tensor:
        """Of each answer's tokens after each prompt, in nats, (n, C); prompts are read once.

        Args:
            inputs: of n prompts, padded left.
            answers: the tokens of C answers.
        """
        n, n_answers = len(inputs["input_ids"]), len(answers)
        device = inputs["input_ids"].device
        with self._reading(inputs) as inputs:
            positions = self._positions(inputs)
            read = self.model(**inputs, **positions, use_cache=True, logits_to_keep=1)
        first_nV = functional.log_softmax(read.logits[:, -1].float(), -1)
        ids_CA = nn.utils.rnn.pad_sequence(
            [torch.tensor(one, device=device) for one in answers], True, IGNORED
        )
        known_CA = ids_CA != IGNORED
        ids_CA = ids_CA.clamp(min=0)
        found_nCA = first_nV[:, ids_CA[:, :1]]
        if ids_CA.shape[1] > 1:
            cache = read.past_key_values
            cache.batch_repeat_interleave(n_answers)
            fed = ids_CA[:, :-1].repeat(n, 1)
            mask = inputs["attention_mask"].repeat_interleave(n_answers, 0)
            mask = torch.cat([mask, known_CA[:, :-1].to(mask.dtype).repeat(n, 1)], 1)
            rest = self.model(
                input_ids=fed,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
                **{name: _next(x, fed.shape[1], n_answers) for name, x in positions.items()},
            )
            logs = functional.log_softmax(rest.logits.float(), -1).unflatten(0, (n, n_answers))
            next_nCA = ids_CA[:, 1:].expand(n, -1, -1)
            found_nCA = torch.cat([found_nCA, logs.gather(3, next_nCA[..., None])[..., 0]], 2)
        return found_nCA.masked_fill(~known_CA, 0).sum(2)

    def write(self, inputs: Inputs, most: int) -> list[str]:
        """What the model answers, greedily, in at most so many tokens."""
        tokenizer = self.bare.processor.tokenizer
        with self._reading(inputs) as inputs:
            ids = self.model.generate(
                **inputs,
                max_new_tokens=most,
                do_sample=False,
                repetition_penalty=1.0,  # Qwen's own would punish the labels of the prompt
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                suppress_tokens=[self.bare.face_id, self.bare.prefix_id],
            )
        new = ids[:, inputs["input_ids"].shape[1] :]
        return [said.strip() for said in tokenizer.batch_decode(new, skip_special_tokens=True)]

    @contextmanager
    def _reading(self, inputs: Inputs, n_answer: int = 0) -> Iterator[Inputs]:
        """While it lasts, prefix and face tokens are in their places; gives the backbone's inputs.

        An adapter that looks at the prompt sees all of it but the places themselves, each clip's
        tokens the whole conversation; never the answer, the last ``n_answer`` tokens.
        """
        inputs = dict(inputs)
        numbers_nSKD, faces_nS = inputs.pop("numbers_nSKD", None), inputs.pop("faces_nS", None)
        with ExitStack() as stack:
            if self.prefix is not None:
                inputs = prefixed(inputs, self.bare.prefix_id, self.config.prefix)
                stack.enter_context(self.prefix.ahead(self.model, self.bare.prefix_id))
            if self.faces is not None:
                if numbers_nSKD is None or faces_nS is None:
                    raise ValueError("a model with face tokens needs the clips' numbers")
                n_prompt = inputs["input_ids"].shape[1] - n_answer
                ids_nL = inputs["input_ids"][:, :n_prompt]
                own_nL = (ids_nL == self.bare.face_id) | (ids_nL == self.bare.prefix_id)
                told_nL = inputs["attention_mask"][:, :n_prompt].bool() & ~own_nL
                tokens = partial(self._tokens, self.faces, numbers_nSKD, faces_nS, told_nL)
                stack.enter_context(placed(self.model, self.bare.face_id, tokens))
            yield inputs

    @staticmethod
    def _tokens(
        faces: FaceTokens,
        numbers_nSKD: Tensor,
        faces_nS: Tensor,
        told_nL: Tensor,
        read_nLH: Tensor,
        places_nL: Tensor,
    ) -> Tensor:
        """The tokens of a conversation's clips one behind the other, (n, S * N, H)."""
        shown = faces_nS.shape[1]
        tokens = faces(
            numbers_nSKD.flatten(0, 1),
            faces_nS.flatten(),
            read_nLH[:, : told_nL.shape[1]].repeat_interleave(shown, 0),
            told_nL.repeat_interleave(shown, 0),
        )
        return tokens.unflatten(0, faces_nS.shape).flatten(1, 2)

    def _values(self, inputs: Inputs) -> Tensor:
        if self.head is None:
            raise ValueError("the model has no regression head")
        hidden_nLH = self.model.model(**inputs, use_cache=False).last_hidden_state
        with torch.autocast(hidden_nLH.device.type, enabled=False):  # 16 bits would round numbers
            return self.head(hidden_nLH[:, -1].float())

    def _positions(self, inputs: Inputs) -> Inputs:
        """Where a prompt's tokens are, (3, n, L), for models that count time, height and width.

        They can count themselves, but behind a cache they go on from the largest of the three,
        which is a long clip's time; an answer read with its prompt goes on from the prompt's end.
        """
        count = getattr(self.model.model, "get_rope_index", None)
        if count is None:
            return {}
        known = {name: inputs[name] for name in signature(count).parameters if name in inputs}
        return {"position_ids": count(**known)[0]}


def _next(positions_3nL: Tensor, new: int, copies: int) -> Tensor:
    """The positions of so many tokens more behind each prompt, which is there so many times."""
    more = torch.arange(1, new + 1, device=positions_3nL.device)
    return (positions_3nL[:, :, -1:] + more).repeat_interleave(copies, 1)


def _check_targets(model: nn.Module, targets: Sequence[str]) -> None:
    text = (name for name, _ in model.named_modules() if not re.fullmatch(_VISION, name))
    known = {name.rpartition(".")[2] for name in text}
    if strange := [target for target in targets if target not in known]:
        raise UserError(
            f"params.yaml: train.language.lora.targets: the model has no {strange[0]}; it has "
            f"{', '.join(sorted(name for name in known if name.endswith('_proj')))}."
        )


def append_answers(inputs: Inputs, answers: Sequence[Sequence[int]], pad: int) -> Inputs:
    """Prompts (padded left) with their answers behind (padded right), and the answers' ``labels``.

    A token's other marks are 0 in the answer, but for ``token_type_ids``, where 1 says that it is
    read from left to right.
    """
    ids = [torch.tensor(one) for one in answers]
    labels_nA = nn.utils.rnn.pad_sequence(ids, True, IGNORED)
    known_nA = labels_nA != IGNORED
    behind = {
        "input_ids": labels_nA.masked_fill(~known_nA, pad),
        "attention_mask": known_nA,
        "token_type_ids": torch.ones_like(labels_nA),
    }
    shape = inputs["input_ids"].shape
    whole = {
        name: torch.cat([x, behind.get(name, torch.zeros_like(labels_nA)).to(x.dtype)], 1)
        if x.shape == shape
        else x
        for name, x in inputs.items()
    }
    return whole | {"labels": labels_nA}
