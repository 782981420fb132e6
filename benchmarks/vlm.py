"""Time and memory of vision-language models: ``python benchmarks/vlm.py``.

On a GPU three backbones in their real sizes and in bfloat16, elsewhere the tiny ones, without a
network and within eight minutes. Weights are random and a token is a byte of text, so speed and
memory are real and answers are not.

Training: a step (LoRA, two clips, one answer) with frames alone, with ten face tokens, with twice
and four times the frames, and the stock model of transformers on the same prompts: its time, the
tokens read a second, the peak of memory, and that of the real size as models/vlm/memory.py counts
it. Scoring: clips a second when each of 11 or 43 labels is an answer of a few tokens. Settings take
turns, in another order each round; ratios are taken within a round, and their median, least and
greatest are printed. Memory is what PyTorch has allocated on the GPU, else the process's peak, and
time on a CPU is what it gives this process.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facewave.models.vlm import memory
from facewave.models.vlm.backbones import load
from facewave.models.vlm.conversations import FACE, Turn
from facewave.models.vlm.face_tokens import FaceTokens, FaceTokensConfig
from facewave.models.vlm.families import FAMILIES
from facewave.models.vlm.model import IGNORED, LanguageModel, LanguageModelConfig, append_answers
from facewave.params import LanguageModelKind, Lora

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
CLOCK = time.perf_counter if GPU else time.process_time  # of a busy CPU's, what this process gets
CLIPS, TOKENS, STEPS, WIDTHS = 2, 10, 10, (52,)
QUESTION = "Which emotion does the person show? "  # as long in bytes as the project's in words
# The last one's attention is compiled for a minute or two.
KINDS: tuple[LanguageModelKind, ...] = tuple(
    kind for kind in ("qwen2.5-vl", "qwen3-vl", "paligemma2") if kind in FAMILIES
)
_SPEED = 0.9  # of the stock model, which is claimed
Costs = dict[Any, "Cost"]


class Setting(NamedTuple):
    """What a clip's prompt shows, and how a step is made."""

    frames: int
    face_tokens: int = 0
    checkpointing: bool = False
    again: bool = False  # the same once more: what differs is noise
    bare: bool = False  # transformers' own model, for which face tokens are words

    def __str__(self) -> str:
        named = f"{self.frames:2} frames, {self.face_tokens:2} face tokens"
        marks = (", recomputed" * self.checkpointing, ", again" * self.again, ", bare" * self.bare)
        return named + "".join(marks)


TRAINING = [
    setting._replace(checkpointing=checkpointing)
    for checkpointing in (False, True)
    for setting in (
        *(Setting(4), Setting(4, again=True), Setting(4, TOKENS), Setting(4, TOKENS, bare=True)),
        *(Setting(8), Setting(16)),
    )
]


class Labels(NamedTuple):
    """What is scored: MAFW's labels or its compounds, by their number and tokens of each."""

    frames: int
    face_tokens: int = 0
    labels: int = 11
    tokens: int = 3

    def __str__(self) -> str:
        named = f"{self.frames:2} frames, {self.face_tokens:2} face tokens"
        return f"{named}, {self.labels} labels"


SCORING = [Labels(4), Labels(4, TOKENS), Labels(8), Labels(16), Labels(4, 0, 43, 6)]


class Cost:
    """Time (s) and peak of memory (GiB) of what runs ``measured`` by it."""

    def __init__(self) -> None:
        self.seconds, self.peaks = list[float](), list[float]()
        self.fits = True

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure a block; one that needs more memory than there is ends, and is not repeated."""
        if GPU:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")
        start = CLOCK()
        try:
            yield
        except torch.OutOfMemoryError:
            self.fits = False
            return
        if GPU:
            torch.cuda.synchronize()
        self.seconds.append(CLOCK() - start)
        status = Path("/proc/self/status").read_text("ascii")
        peak = int(status.partition("VmHWM:")[2].split()[0]) * 2**10
        self.peaks.append((torch.cuda.max_memory_allocated() if GPU else peak) / 2**30)


def in_turn(
    settings: Sequence[Any], run: Callable[[Any, Cost], None], rounds: int, deadline: float
) -> Costs:
    """Run settings in rounds, after one that warms up, until the deadline.

    A round that the deadline cuts short does not count; one that warms up is what there is if no
    other is whole, and what it has not come to counts as if it did not fit.
    """
    costs: Costs = {setting: Cost() for setting in settings}
    order = np.random.default_rng(0)
    for done in range(rounds + 1):
        for at in order.permutation(len(settings)) if done else range(len(settings)):
            cost = costs[settings[at]]
            if time.monotonic() > deadline:
                return whole(costs, done)
            if cost.fits:
                run(settings[at], cost)
            if not cost.fits:
                gc.collect()
                torch.cuda.empty_cache()
    return whole(costs, rounds + 1)


def whole(costs: Costs, rounds: int) -> Costs:
    """What whole rounds have measured, without the first, which warms up, if there is another."""
    for cost in costs.values():
        cost.fits = cost.fits and bool(cost.seconds)
        for measured in (cost.seconds, cost.peaks):
            measured[:] = measured[1:rounds] if rounds > 1 else measured[:1]
    return costs


def language_model(kind: LanguageModelKind, device: str) -> LanguageModel:
    """A backbone with random weights, an adapter of face tokens and LoRA."""
    tiny = cast(LanguageModelKind, f"tiny-{kind}")
    backbone = load(tiny, "hub") if device == "cpu" else memory.life_size(kind, device)
    faces = FaceTokensConfig("linear", STEPS, WIDTHS, TOKENS, backbone.hidden)
    lora = Lora(8, 16, 0.05, "attention")
    config = LanguageModelConfig(kind, "hub", "", "finetune", (), faces=faces, lora=lora)
    with torch.device(device):
        return LanguageModel(config, backbone)


def prompts(model: LanguageModel, frames: int, face_tokens: int) -> dict[str, Tensor]:
    """Of clips of noise."""
    noise = np.random.default_rng(0)
    pictures = list(noise.integers(0, 255, (frames, 224, 224, 3), dtype=np.uint8))
    question = QUESTION + FACE * face_tokens
    inputs = model.backbone.inputs([[Turn(pictures, 3.0, question)]] * CLIPS)
    if face_tokens:
        numbers = noise.normal(size=(CLIPS, 1, STEPS, sum(WIDTHS)))
        inputs["numbers_nSKD"] = torch.from_numpy(numbers).float()
        inputs["faces_nS"] = torch.ones(CLIPS, 1, dtype=torch.bool)
    return inputs


def to_device(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch where the model is."""
    return {name: torch.as_tensor(x).to(DEVICE) for name, x in inputs.items()}


def stock_loss(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Of transformers' own model, which is given the same prompts and answers."""
    labels_nA = inputs["labels"]
    own = {name: inputs[name] for name in inputs.keys() - {"labels", "numbers_nSKD", "faces_nS"}}
    logits = model(**own, use_cache=False, logits_to_keep=labels_nA.shape[1] + 1).logits[:, :-1]
    flat = logits.float().flatten(0, 1), labels_nA.flatten()
    return functional.cross_entropy(*flat, ignore_index=IGNORED, reduction="sum") / CLIPS


def prepare(model: LanguageModel, setting: Setting, faces: FaceTokens | None) -> None:
    """Put the adapter in or take it out, and say whether activations are computed again."""
    model.faces = faces if setting.face_tokens and not setting.bare else None
    if setting.checkpointing:
        model.checkpoint_gradients()
    else:
        model.model.activation_checkpointing_disable()


def train(kind: LanguageModelKind, model: LanguageModel, rounds: int, deadline: float) -> None:
    """Print what a training step costs in each setting."""
    faces = model.faces
    assert faces is not None
    optimizers = [
        torch.optim.AdamW([x for x in module.parameters() if x.requires_grad], lr=1e-5)
        for module in (model.model, faces)
    ]
    answers = [model.backbone.answer_ids("happy")] * CLIPS
    shown = {setting: prompts(model, setting.frames, setting.face_tokens) for setting in TRAINING}
    batches = {setting: append_answers(x, answers, model.backbone) for setting, x in shown.items()}
    model.train()

    def step(setting: Setting, cost: Cost) -> None:
        prepare(model, setting, faces)
        inputs = to_device(batches[setting])
        with cost.measured():
            with torch.autocast(DEVICE, torch.bfloat16, enabled=GPU):  # as Trainer does
                bare = setting.bare
                loss = stock_loss(model.model, inputs) if bare else model(**inputs)["loss"]
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        for optimizer in optimizers:
            optimizer.zero_grad()

    now = time.monotonic()
    costs = in_turn(TRAINING, step, rounds, now + 0.6 * (deadline - now))
    count = counted(kind, TRAINING, deadline)
    weights = sum(x.nbytes for x in model.parameters()) / 2**30
    adapter = GPU * sum(16 * x.numel() for x in faces.parameters() if x.requires_grad) / 2**30
    for setting, cost in costs.items():  # the adapter lies there, too, where nothing uses it
        cost.peaks = [peak - adapter * (not setting.face_tokens) for peak in cost.peaks]
    tokens = {setting: int(batch["attention_mask"].sum()) for setting, batch in batches.items()}
    for base in (TRAINING[0], TRAINING[0]._replace(checkpointing=True)):
        some = {x: cost for x, cost in costs.items() if x.checkpointing == base.checkpointing}
        table(base, some, "tokens", tokens, {x: count[x] for x in some if x in count}, weights)
        with_tokens = base._replace(face_tokens=TOKENS)
        ours, bare = costs[with_tokens], costs[with_tokens._replace(bare=True)]
        if ours.fits and bare.fits:
            speed = spread(ratios(bare.seconds, ours.seconds))
            enough = median(ratios(bare.seconds, ours.seconds)) >= _SPEED
            verdict = "as claimed" if enough else "and not"
            print(f"tokens a second, of the stock model's: {speed}, {verdict} {_SPEED} or more")
    prepare(model, TRAINING[0], faces)
    model.faces = faces


def counted(
    kind: LanguageModelKind, settings: Iterable[Setting], deadline: float
) -> dict[Any, float]:
    """What models/vlm/memory.py says of steps of the real size, GiB, as far as there is time."""
    model, found = language_model(kind, "meta").train(), {}
    faces, answers = model.faces, [model.backbone.answer_ids("happy")] * CLIPS
    for setting in settings:
        if time.monotonic() < deadline and not setting.again and not setting.bare:
            prepare(model, setting, faces)
            inputs = prompts(model, setting.frames, setting.face_tokens)
            step = memory.of_step(model, append_answers(inputs, answers, model.backbone))
            found[setting] = step.total / 2**30
    return found


def score(model: LanguageModel, rounds: int, deadline: float) -> None:
    """Print what the likelihoods of all labels cost."""
    faces = model.faces
    model.eval()

    def answer(setting: Labels, cost: Cost) -> None:
        model.faces = faces if setting.face_tokens else None
        inputs = to_device(prompts(model, setting.frames, setting.face_tokens))
        words = torch.randint(3, 250, (setting.labels, setting.tokens)).tolist()
        with (
            cost.measured(),
            torch.inference_mode(),
            torch.autocast(DEVICE, torch.bfloat16, enabled=GPU),
        ):
            model.log_likelihoods(inputs, words)

    costs = in_turn(SCORING, answer, rounds, deadline)
    table(SCORING[0], costs, "clips", dict.fromkeys(SCORING, CLIPS), {}, 0.0)


def ratios(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Within rounds."""
    return [a / b for a, b in zip(mine, theirs, strict=True)]


def spread(values: Sequence[float]) -> str:
    """The median, the least and the greatest."""
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def table(
    base: Any,
    costs: Costs,
    unit: str,
    read: dict[Any, int],
    counted: dict[Any, float],
    weights: float,
) -> None:
    """Print a line for each setting, and whether face tokens cost as little as is claimed."""
    if not costs[base].fits:
        print(f"\n{base}: out of memory, or of time")
        return
    rounds = len(costs[base].seconds)
    head = f"{rounds} rounds"
    print(f"\n{head:46} {'ms':>8} {unit + '/s':>9} {'GiB':>7} {'counted':>7}  {'time':24} memory")
    for setting, cost in costs.items():
        if not cost.fits:
            print(f"{setting!s:46} out of memory, or of time")
            continue
        spent = median(cost.seconds)
        guess = f"{counted[setting]:.2f}" if setting in counted else ""
        print(
            f"{setting!s:46} {1e3 * spent:8.1f} {read[setting] / spent:9.1f} "
            f"{median(cost.peaks):7.2f} {guess:>7}  "
            f"{spread(ratios(cost.seconds, costs[base].seconds)):24} "
            f"{spread(ratios(cost.peaks, costs[base].peaks))}"
        )
    others = base._replace(face_tokens=TOKENS), base._replace(frames=2 * base.frames)
    if all(x in counted for x in (base, *others)):
        judge("counted memory", 0.02, *([counted[x] / counted[base]] for x in others))
    if GPU and all(costs[x].fits for x in others):
        judge("memory", 0.02, *(ratios(costs[x].peaks, costs[base].peaks) for x in others))
        above = {x: [peak - weights for peak in costs[x].peaks] for x in (base, *others)}
        beyond = (f"{median(ratios(above[x], above[base])):.3f}" for x in others)
        print("memory above the weights, of that of frames alone:", ", ".join(beyond))
        judge("time", 0.03, *(ratios(costs[x].seconds, costs[base].seconds) for x in others))


def judge(what: str, limit: float, with_tokens: list[float], with_frames: list[float]) -> None:
    """Print whether face tokens add as little as is claimed; arguments are ratios."""
    added, more = median(with_tokens) - 1, median(with_frames) - 1
    verdict = "as claimed" if added <= limit else "and not"
    print(
        f"{TOKENS} face tokens add {added:.1%} {what}, {verdict} at most {limit:.0%}; "
        f"twice the frames add {more:.1%}"
    )


def main() -> None:
    """Print the tables of each backbone."""
    parser = argparse.ArgumentParser(description="Time and memory of vision-language models.")
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up")
    parser.add_argument("--minutes", type=float, default=8, help="in which all of it ends")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    print(f"{torch.cuda.get_device_name() if GPU else 'CPU, tiny models'}, {CLIPS} clips at a time")
    for at, kind in enumerate(KINDS):
        share = (end - time.monotonic()) / (len(KINDS) - at)
        start = time.monotonic()
        torch.manual_seed(0)
        model = language_model(kind, DEVICE)
        print(f"\n{kind}: {model.counts()[1]:,} parameters")
        train(kind, model, options.rounds, start + 0.6 * share)
        score(model, options.rounds, start + 0.9 * share)
        del model
        gc.collect()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
