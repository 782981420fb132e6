"""What a server answers in OpenAI's protocol for conversations, as far as it is read.

It comes from whoever answers, so nothing is taken that could not be meant: log probabilities above
0, names with control characters. https://platform.openai.com/docs/api-reference/chat
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_ROUNDING = 1e-3  # that a log probability may be above 0
_Count = Annotated[int, Field(ge=0, le=1 << 40)]
_Name = Annotated[str, Field(max_length=500, pattern=r"^[^\p{Cc}\p{Cf}]*$")]  # fit to be shown


@dataclass(frozen=True)
class Likely:
    """A token and its log probability."""

    token: str
    logprob: Annotated[float, Field(le=_ROUNDING, allow_inf_nan=False)]  # in nats


@dataclass(frozen=True)
class Token(Likely):
    """A token that was written, and what was likeliest in its place."""

    top_logprobs: Annotated[list[Likely], BeforeValidator(lambda value: value or [])]


@dataclass(frozen=True)
class Tokens:
    """What an answer was written with."""

    content: Annotated[list[Token], BeforeValidator(lambda value: value or [])]


@dataclass(frozen=True)
class Message:
    """An answer's text; None where it is refused."""

    content: str | None = None


@dataclass(frozen=True)
class Choice:
    """An answer."""

    message: Message
    logprobs: Tokens | None = None
    finish_reason: str | None = None


@dataclass(frozen=True)
class Usage:
    """What an answer took, in tokens."""

    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0


@dataclass(frozen=True)
class Completion:
    """Answers to a conversation: one, unless more are asked for."""

    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Usage | None = None


@dataclass(frozen=True)
class Reply:
    """What a server has answered, and what that took."""

    text: str  # "" where it refuses
    tokens: list[Token]  # of the text; [] where it tells no log probabilities
    prompt_tokens: _Count
    completion_tokens: _Count
    seconds: float  # until it was there, with all waits
    is_cut: bool = False  # it had no end yet where no more tokens were allowed


@dataclass(frozen=True)
class Identity:
    """The model behind a server, as far as that tells."""

    id: _Name
    root: _Name | None = None  # the weights' name or folder (vLLM)
    meta: Any = None  # sizes (llama.cpp)


@dataclass(frozen=True)
class Listing:
    """The models of a server."""

    data: Annotated[list[Identity], BeforeValidator(lambda value: value or [])]
