"""Learning from rewards that can be verified: is the answer readable, and is its label right?

Several answers to each clip are drawn from the model, and each is made more or less likely by how
much better it is than the others of its clip: GRPO's group-relative advantages (Shao et al., 2024,
DeepSeekMath), as R1-Omni (Zhao et al., 2025) learns emotions. Each drawn answer is learnt from
once, so that there is no ratio of policies to clip; nothing holds the model near where it started
but its learning rate.

Legend of names: n clips, G answers drawn to each.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from facewave.models.vlm.backbones import precision
from facewave.models.vlm.model import IGNORED, Inputs, LanguageModel, append_answers
from facewave.params import Language
from facewave.prompts.answers import longest, named

GROUP = 8  # answers drawn to each clip


def drawn(module: LanguageModel, inputs: Inputs, settings: Language) -> list[Inputs]:
    """G batches, each with a drawn answer to every clip, weighted by its advantage.

    The sum of their losses is what is minimised; each can be learnt from on its own, and then one
    alone takes memory.

    Args:
        module: which draws the answers.
        inputs: prompts with the right answers (examples.Collator).
        settings: section ``train.language``.
    """
    prompts, right = _parts(module, inputs)
    was_training = module.training
    module.eval()
    answers_Gn = [_answers(module, prompts, settings, at_random=True) for _ in range(GROUP)]
    module.train(was_training)
    rewards_Gn = torch.stack([_rewards(some, right, module, settings) for some in answers_Gn])
    spread_n = rewards_Gn.std(0, correction=0)
    advantages_Gn = (rewards_Gn - rewards_Gn.mean(0)) / (spread_n + 1e-4)
    weights_Gn = advantages_Gn.to(inputs["weights_n"].device) * inputs["weights_n"] / GROUP
    return [
        append_answers(prompts, answers, module.backbone) | {"weights_n": weights_n}
        for answers, weights_n in zip(answers_Gn, weights_Gn, strict=True)
    ]


def loss(module: LanguageModel, inputs: Inputs, settings: Language) -> Tensor:
    """Minus the mean reward of the likeliest answers; arguments as of ``drawn``."""
    prompts, right = _parts(module, inputs)
    return -_rewards(_answers(module, prompts, settings), right, module, settings).mean()


def _parts(module: LanguageModel, inputs: Inputs) -> tuple[Inputs, list[str]]:
    """The prompts alone, and the right answers."""
    ids_nL, labels_nA = inputs["input_ids"], inputs["labels"]
    prompts = {
        name: x[:, : -labels_nA.shape[1]] if x.shape == ids_nL.shape else x
        for name, x in inputs.items()
        if name not in ("labels", "weights_n")
    }
    right = [[token for token in ids if token != IGNORED] for ids in labels_nA.tolist()]
    return prompts, module.backbone.texts(right)


def _answers(
    module: LanguageModel, prompts: Inputs, settings: Language, *, at_random: bool = False
) -> list[list[int]]:
    with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
        return module.generate(prompts, longest(module, settings), at_random=at_random)


def _rewards(
    answers: Sequence[Sequence[int]],
    right: Sequence[str],
    module: LanguageModel,
    settings: Language,
) -> Tensor:
    """Of each answer, (n,): 1 if it names a label in the form that is asked for, 2 if the right."""
    words = module.config.classes
    labels = [named(text, words, settings) for text in module.backbone.texts(answers)]
    are_right = [named(text, words, settings) for text in right]
    return torch.tensor(
        [float((a != "") + (a == b != "")) for a, b in zip(labels, are_right, strict=True)]
    )
