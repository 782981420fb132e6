"""Probabilities of labels from the log probabilities of a written answer's tokens. Pure."""

import math
from collections.abc import Sequence

from facewave.prompts.protocol import Token


def shares(tokens: Sequence[Token], written: str, labels: Sequence[str]) -> list[float] | None:
    """How probable each label is, by the token where it parts from the label that was written.

    On the way along the written label, every token that is likely in place of the written one
    counts for the labels that go on with it. What several labels go on with they share equally,
    since nobody has asked what would follow. A label whose token is not among those that are told
    has the probability of the least likely of these, which is as much as it can have. So where
    labels differ in their first tokens, these are the probabilities of the first tokens.

    Args:
        tokens: of the answer, with the likeliest in place of each.
        written: the label in it.
        labels: all labels as they are asked for; case does not matter.

    Returns:
        They add up to 1; None where they cannot be told: no likely tokens are told, or one token
        has the label's beginning and what stands before it.
    """
    whole = [label.casefold() for label in labels]
    probable = [0.0] * len(labels)
    prefix, probability, going_on = "", 1.0, set(range(len(labels)))
    for token in _of_label(tokens, written.casefold()):

        def continued(piece: str, before: str = prefix) -> str:
            return before + (piece if before else piece.lstrip()).casefold()

        # (what is written with a token in this place, the token's log probability)
        others = [
            (continued(other.token), other.logprob)
            for other in token.top_logprobs
            if other.token != token.token
        ]
        for text, logprob in others:
            fitting = [at for at in going_on if len(text) > len(prefix) and _fits(text, whole[at])]
            for at in fitting:
                probable[at] += probability * math.exp(logprob) / len(fitting)
        least = min([token.logprob, *(logprob for _, logprob in others)])
        prefix = continued(token.token)
        parting = {at for at in going_on if not _fits(prefix, whole[at])}
        for at in parting:
            probable[at] = probable[at] or probability * math.exp(least)
        probability *= math.exp(token.logprob)
        going_on -= parting
        if len(going_on) <= 1:
            break
    if not prefix:
        return None
    for at in going_on:
        probable[at] += probability / len(going_on)
    total = sum(probable)
    return [share / total for share in probable] if total > 0 else None


def _fits(text: str, label: str) -> bool:
    """Whether a text is a label's beginning, or begins with the label."""
    return label.startswith(text) or text.startswith(label)


def _of_label(tokens: Sequence[Token], written: str) -> Sequence[Token]:
    """The tokens from the written label's first on; none if it is not there, or nothing likely."""
    text = "".join(token.token for token in tokens).casefold()
    start = text.find(written, text.find(":") + 1)  # in JSON its key comes before
    place = 0
    for at, token in enumerate(tokens):
        piece = token.token.casefold()
        if piece.strip() and place + len(piece) - len(piece.lstrip()) == start:
            return tokens[at:] if token.top_logprobs else ()
        place += len(piece)
    return ()
