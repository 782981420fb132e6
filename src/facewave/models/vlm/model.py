"""A vision-language model with face tokens, and what is trained beside its own weights.

Legend of names: n clips, S clips shown in a conversation (examples and the one in question), K
steps, D channels, N face tokens, L tokens of a prompt, A of an answer, V of the vocabulary, C
labels, T targets, H hidden size.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, Literal, Self, get_args

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache

from facewave.errors import UserError
from facewave.models.vlm import lora
from facewave.models.vlm.backbones import Backbone, flex_attention_fits
from facewave.models.vlm.face_tokens import FaceTokens, FaceTokensConfig, placed, text_size
from facewave.models.vlm.float32 import exactly
from facewave.models.vlm.positions import positions
from facewave.models.vlm.prefix import Prefix, prefixed
from facewave.models.vlm.regression import Regression
from facewave.params import Checkpointing, LanguageModelKind, Lora

Inputs = dict[str, Tensor]
Group = Literal["new", "lora", "projector"]  # of what is trained; params.Rates has their rates

IGNORED = -100  # as a label: no part of the answer
_ABSENT = 0.1  # share of the faces that are hidden in training
_TOGETHER = 8  # answers that are scored at a time, each with a copy of what was read of the prompt
_ROWS = 2**15  # of the head
_ASKED = "asked_nL"  # marks the prompts' tokens where an answer has begun


@dataclass(frozen=True, config={"extra": "forbid"})
class LanguageModelConfig:
    """Enough to rebuild what was trained, given the backbone."""

    kind: LanguageModelKind  # the backbone's family
    weights: str  # where its weights came from (backbones.load)
    revision: str  # their commit, "" for a folder or a tiny model
    mode: Literal["zero_shot", "pretrain", "finetune", "reinforce"]  # what was trained
    classes: tuple[str, ...]  # the labels
    targets: tuple[str, ...] = ()  # what is regressed; none: the answer is a label
    faces: FaceTokensConfig | None = None  # the face tokens' adapter, if there is one
    lora: Lora | None = None  # low-rank matrices beside the projections, if there are any
    projector: bool = False  # whether the images' projector was trained
    quantized: bool = False  # whether the backbone is in 4 bits
    prefix: int = 0  # number of virtual tokens of prefix tuning


class LanguageModel(nn.Module):
    """A backbone and what is trained beside it; the backbone's own weights are frozen.

    Called with a batch of prompts and answers it returns their loss, as Trainer expects. New
    weights are drawn from torch's global generator.
    """

    def __init__(self, config: LanguageModelConfig, backbone: Backbone) -> None:
        super().__init__()
        self.config, self.backbone, self.model = config, backbone, backbone.model
        self.faces: FaceTokens | None = None
        if config.faces:
            self.faces = FaceTokens(config.faces)
            tokenizer, embedding = backbone.processor.tokenizer, self.model.get_input_embeddings()
            self.faces.size.copy_(text_size(embedding, len(tokenizer)))
        self.head = Regression(backbone.hidden, len(config.targets)) if config.targets else None
        if config.lora:
            lora.add(self.model, config.lora)
        if config.projector:  # after LoRA, which freezes all but itself
            self.model.get_submodule(backbone.family.projector).requires_grad_(True)
        self.prefix: Prefix | None = None
        if config.prefix:
            text = ", ".join([*config.classes, *config.targets])
            words = backbone.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
            self.prefix = Prefix(self.model, words, config.prefix)
        device = next(self.model.parameters()).device
        for module in (self.faces, self.head):
            if module is not None:
                module.to(device)
        self._attention = self.model.config.get_text_config()._attn_implementation
        for weight in self.parameters():  # small steps would be lost in 16 bits
            if weight.requires_grad:
                weight.data = weight.data.float()

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; on some GPUs, some families' texts are attended to otherwise."""
        super().train(mode)
        attention = self.backbone.family.attention
        device = next(self.model.parameters()).device.type
        if attention and device != "cpu" and flex_attention_fits():
            text = attention if mode else self._attention
            self.model.set_attn_implementation({"text_config": text})
        return self

    def trained(self) -> Inputs:
        """All but the stock backbone: trainable parameters and the buffers beside them."""
        trainable = {name for name, weight in self.named_parameters() if weight.requires_grad}
        return {
            name: tensor.detach()
            for name, tensor in self.state_dict().items()
            if name in trainable or not name.startswith("model.")
        }

    def groups(self) -> dict[Group, list[nn.Parameter]]:
        """What is trained, by the kind of its weights: some start at random, others do not."""
        projector = f"model.{self.backbone.family.projector}."
        groups: dict[Group, list[nn.Parameter]] = {name: [] for name in get_args(Group)}
        for name, weight in self.named_parameters():
            if weight.requires_grad:
                is_projector = name.startswith(projector)
                kind: Group = "lora" if ".lora_" in name else "projector" if is_projector else "new"
                groups[kind].append(weight)
        return groups

    def load_trained(self, tensors: Inputs) -> None:
        """Load what ``trained`` returned.

        Raises:
            ValueError: names or shapes are not those of the configuration.
        """
        ours = self.trained()
        if {name: x.shape for name, x in ours.items()} != {n: x.shape for n, x in tensors.items()}:
            raise ValueError("its tensors are not those of its configuration")
        with torch.no_grad():
            for name, tensor in tensors.items():
                ours[name].copy_(tensor)

    def checkpoint_gradients(self, when: Checkpointing = "always") -> None:
        """In training, compute activations again instead of keeping them.

        Args:
            when: auto: where the family is better off with it and there is no prefix.

        Raises:
            UserError: always, and there is a prefix, whose hooks are gone by then.
        """
        by_default = self.backbone.family.checkpoints and self.prefix is None
        if when == "never" or (when == "auto" and not by_default):
            return
        if self.prefix is not None:
            raise UserError(
                "params.yaml: train.language.prefix and train.language.checkpointing do not go "
                "together. Set prefix: 0 or checkpointing: never."
            )
        self.model.activation_checkpointing_enable({"use_reentrant": False})
        # It makes embeddings require gradients, and the frozen vision tower would compute them all.
        self.model.disable_input_require_grads()

    def counts(self) -> tuple[int, int]:
        """The numbers of trainable and of all parameters."""
        sizes = [(weight.numel(), weight.requires_grad) for weight in self.parameters()]
        return sum(size for size, trainable in sizes if trainable), sum(size for size, _ in sizes)

    def forward(
        self,
        labels: Tensor | None = None,
        numbers_nSKD: Tensor | None = None,
        faces_nS: Tensor | None = None,
        weights_n: Tensor | None = None,
        **inputs: Tensor,
    ) -> dict[str, Tensor]:
        """The loss: minus the log likelihood of a whole answer in nats, a mean over clips.

        A regression gives its ``values``, (n, T), instead.

        Args:
            labels: (n, A), the answers' tokens at the end of ``input_ids``, padded with
                ``IGNORED``.
            numbers_nSKD: the clips' wavelet numbers, NaN without a face.
            faces_nS: whether there is one.
            weights_n: how much each clip's answer counts; None: all the same, 1.
            inputs: the backbone's own (``append_answers`` puts answers behind prompts).
        """
        n_answer = 0 if labels is None else labels.shape[1]
        if numbers_nSKD is not None and faces_nS is not None:
            # So that the tokens of an absent face are learnt; drawn answers are of what was seen.
            if self.training and self.config.mode != "reinforce":
                faces_nS = faces_nS & (torch.rand(faces_nS.shape) >= _ABSENT).to(faces_nS.device)
            inputs |= {"numbers_nSKD": numbers_nSKD, "faces_nS": faces_nS}
        with self._reading(inputs, n_answer) as inputs:
            if self.head is not None:
                hidden_nLH = self.model.model(**inputs, use_cache=False).last_hidden_state
                with exactly(hidden_nLH):
                    return {"values": self.head(hidden_nLH[:, -1].float())}
            if labels is None:
                raise ValueError("without labels there is no loss")
            kept = n_answer + 1  # the logits of all tokens would be gigabytes
            logits_nAV = self.model(**inputs, use_cache=False, logits_to_keep=kept).logits[:, :-1]
        logits = logits_nAV.float().flatten(0, 1)
        loss_nA = functional.cross_entropy(
            logits, labels.flatten(), ignore_index=IGNORED, reduction="none"
        ).view_as(labels)
        loss_n = loss_nA.sum(1) if weights_n is None else loss_nA.sum(1) * weights_n
        return {"loss": loss_n.mean()}

    def values(self, inputs: Inputs) -> Tensor:
        """The regressed targets, (n, T).

        Raises:
            ValueError: the model has no regression head.
        """
        if self.head is None:
            raise ValueError("the model has no regression head")
        return self(**inputs)["values"]

    def log_likelihoods(
        self,
        inputs: Inputs,
        answers: Sequence[Sequence[int]],
        starts: Sequence[Sequence[int]] = (),
    ) -> Tensor:
        """Of C answers (tokens) after each of n prompts (padded left), in nats, (n, C).

        ``starts`` are what the answers to each prompt begin with, none: with nothing.
        """
        device = inputs["input_ids"].device
        if starts:
            inputs = begin_answers(inputs, starts, self.backbone)
        with self._reading(inputs) as inputs:
            read = self.model.model(**inputs, use_cache=True)
        first_nV = functional.log_softmax(self._logits(read.last_hidden_state[:, -1]), -1)
        ids = [torch.tensor(answer, device=device) for answer in answers]
        logs = []
        for start in range(0, len(ids), _TOGETHER):
            ids_CA = nn.utils.rnn.pad_sequence(ids[start : start + _TOGETHER], True, IGNORED)
            known_CA = ids_CA != IGNORED
            ids_CA = ids_CA.clamp(min=0)
            logs_nCA = first_nV[:, ids_CA[:, :1]]
            if ids_CA.shape[1] > 1:
                cache = deepcopy(read.past_key_values)
                rest_nCA = self._continued(cache, inputs, ids_CA, known_CA)
                logs_nCA = torch.cat([logs_nCA, rest_nCA], 2)
            logs.append(logs_nCA.masked_fill(~known_CA, 0).sum(2))
        return torch.cat(logs, 1)

    def _continued(self, cache: Cache, inputs: Inputs, ids_CA: Tensor, known_CA: Tensor) -> Tensor:
        """Log likelihoods of the answers' tokens after the first, (n, C, A - 1).

        ``cache`` has what was read of the prompts, and is used up.
        """
        n, n_answers = len(inputs["input_ids"]), len(ids_CA)
        cache.batch_repeat_interleave(n_answers)
        ids = ids_CA[:, :-1].repeat(n, 1)
        mask = inputs["attention_mask"].repeat_interleave(n_answers, 0)
        mask = torch.cat([mask, known_CA[:, :-1].to(mask.dtype).repeat(n, 1)], 1)
        places: Inputs = {}
        if (prompt_3nL := inputs.get("position_ids")) is not None:
            behind = torch.arange(1, ids.shape[1] + 1, device=ids.device)
            places["position_ids"] = prompt_3nL[:, :, -1:].repeat_interleave(n_answers, 1) + behind
        rest = self.model.model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **places,
        )
        next_nCA = ids_CA[:, 1:].expand(n, -1, -1)
        logits = self._logits(rest.last_hidden_state).unflatten(0, (n, n_answers))
        return functional.log_softmax(logits, -1).gather(3, next_nCA[..., None])[..., 0]

    def _logits(self, hidden: Tensor) -> Tensor:
        """Of the vocabulary, (..., V), in float32: rounded to 16 bits, near answers would tie."""
        head = self.model.get_output_embeddings()
        # In parts: the whole head in 32 bits would be gigabytes.
        with exactly(hidden):
            rows = [
                functional.linear(hidden.float(), part.float()) for part in head.weight.split(_ROWS)
            ]
        logits = torch.cat(rows, -1)
        if head.bias is not None:
            logits = logits + head.bias.float()
        cap = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def write(self, inputs: Inputs, max_tokens: int) -> list[str]:
        """The likeliest that the model writes in at most ``max_tokens`` tokens."""
        return self.backbone.texts(self.generate(inputs, max_tokens))

    def generate(
        self, inputs: Inputs, max_tokens: int, *, at_random: bool = False
    ) -> list[list[int]]:
        """The tokens of answers, the likeliest or drawn, with the one that ends them.

        An answer of ``max_tokens`` tokens may lack its end. None has a special token in it, as
        those that stand for pictures are: they could not be read again.
        """
        draws: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} if at_random else {}
        tokenizer, end_id = self.backbone.processor.tokenizer, self.backbone.end_id
        special = (at for at, token in tokenizer.added_tokens_decoder.items() if token.special)
        with self._reading(inputs) as inputs:
            ids = self.model.generate(
                **inputs,
                max_new_tokens=max_tokens,
                do_sample=at_random,
                **draws,
                repetition_penalty=1.0,  # Qwen's default would punish the labels of the prompt
                eos_token_id=end_id,
                pad_token_id=tokenizer.pad_token_id,
                suppress_tokens=[at for at in special if at != end_id],
            )
        answers = ids[:, inputs["input_ids"].shape[1] :].tolist()
        return [ids[: ids.index(end_id) + 1] if end_id in ids else ids for ids in answers]

    @contextmanager
    def _reading(self, inputs: Inputs, n_answer: int = 0) -> Iterator[Inputs]:
        """Put prefix and face tokens in their places; yields the backbone's inputs.

        An adapter that attends to the prompt sees the whole conversation but the placeholders, and
        never the answer, the last ``n_answer`` tokens.
        """
        inputs = dict(inputs)
        numbers_nSKD, faces_nS = inputs.pop("numbers_nSKD", None), inputs.pop("faces_nS", None)
        with ExitStack() as stack:
            if self.prefix is not None:
                inputs = prefixed(inputs, self.backbone.prefix_id, self.config.prefix)
                stack.enter_context(self.prefix.placed(self.model, self.backbone.prefix_id))
            asked_nL = inputs.pop(_ASKED, inputs["attention_mask"])
            if self.faces is not None:
                if numbers_nSKD is None or faces_nS is None:
                    raise ValueError("a model with face tokens needs the clips' numbers")
                n_prompt = inputs["input_ids"].shape[1] - n_answer
                ids_nL = inputs["input_ids"][:, :n_prompt]
                is_text_nL = (ids_nL != self.backbone.face_id) & (ids_nL != self.backbone.prefix_id)
                is_text_nL &= asked_nL[:, :n_prompt].bool()
                get_tokens = partial(self.faces.of_clips, numbers_nSKD, faces_nS, is_text_nL)
                stack.enter_context(placed(self.model, self.backbone.face_id, get_tokens))
            yield inputs | positions(self.model, inputs)


def append_answers(inputs: Inputs, answers: Sequence[Sequence[int]], backbone: Backbone) -> Inputs:
    """Prompts (padded left) with their answers appended (padded right), and their ``labels``.

    ``token_type_ids`` mean what the backbone's family says; the tokens' other marks are 0.
    """
    ids = [torch.tensor(answer, device=inputs["input_ids"].device) for answer in answers]
    labels_nA = nn.utils.rnn.pad_sequence(ids, True, IGNORED)
    known_nA, zeros_nA = labels_nA != IGNORED, torch.zeros_like(labels_nA)
    appended = {
        "input_ids": labels_nA.masked_fill(~known_nA, backbone.processor.tokenizer.pad_token_id),
        "attention_mask": known_nA,
        "token_type_ids": zeros_nA + backbone.family.answer_type,
    }
    shape = inputs["input_ids"].shape
    whole = {
        name: torch.cat([x, appended.get(name, zeros_nA).to(x.dtype)], 1) if x.shape == shape else x
        for name, x in inputs.items()
    }
    return whole | {"labels": labels_nA}


def begin_answers(inputs: Inputs, starts: Sequence[Sequence[int]], backbone: Backbone) -> Inputs:
    """Prompts with the beginnings of their answers, padded left, as ``log_likelihoods`` reads them.

    The prompts' own tokens stay marked: adapters see them alone.
    """
    marked = inputs | {_ASKED: inputs["attention_mask"]}
    begun = append_answers(marked, starts, backbone)
    del begun["labels"]
    order_nL = begun["attention_mask"].argsort(dim=1, stable=True)
    return {
        name: x.gather(1, order_nL) if x.shape == order_nL.shape else x for name, x in begun.items()
    }
