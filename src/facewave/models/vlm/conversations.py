"""How conversations about clips are written for each family of vision-language models.

A function for each way makes a processor's arguments of them, by the family's own chat template.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
from transformers.video_utils import VideoMetadata

from facewave.errors import UserError
from facewave.params import Pixels

FACE = "<face>"  # the placeholder of a face token in a prompt
PREFIX = "<prefix>"  # and of a virtual token of prefix tuning
_TASKS = ("answer ", "caption ", "cap ", "describe ", "detect ", "segment ", "ocr")  # PaliGemma's
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
_ONES += "fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

Picture = NDArray[np.uint8]
Part = dict[str, str]  # of a chat message's content, as chat templates take it
_IMAGE: Part = {"type": "image"}


@dataclass(frozen=True, eq=False)
class Turn:
    """A question about a clip and, where it is an example, its answer."""

    # Frames of one size, each (h, w, 3) RGB uint8; there may be none.
    pictures: Sequence[Picture]
    duration: float  # of the clip that they are spread over, s
    question: str  # may contain ``FACE``
    answer: str = ""  # "" if the model is to give it


def _chat(processor: Any, turns: Sequence[Turn], media: Callable[[Turn], list[Part]]) -> str:
    """A conversation in the model's own chat template."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        content = [*media(turn), {"type": "text", "text": turn.question}]
        messages.append({"role": "user", "content": content})
        if turn.answer:
            content = [{"type": "text", "text": turn.answer}]
            messages.append({"role": "assistant", "content": content})
    text: str = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return text


def qwen(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """A clip's frames are a video, with its times; a single picture is an image.

    With the settings that come with Qwen2.5-VL's weights (min_pixels: 3136), frames of 224 x 224
    keep their size, and two of them are 64 tokens; transformers' defaults would enlarge them to
    336 x 336.
    """
    media: dict[int, list[Part]] = {0: [], 1: [_IMAGE]}
    texts = [
        _chat(processor, turns, lambda turn: media.get(len(turn.pictures), [{"type": "video"}]))
        for turns in conversations
    ]
    arguments: dict[str, Any] = {"text": texts}
    turns = [turn for turns in conversations for turn in turns]
    if stills := [turn.pictures[0] for turn in turns if len(turn.pictures) == 1]:
        arguments["images"] = stills
    if shown := [turn for turn in turns if len(turn.pictures) > 1]:
        arguments |= {
            "videos": [np.stack(turn.pictures) for turn in shown],
            "video_metadata": [
                VideoMetadata(
                    total_num_frames=len(turn.pictures),
                    fps=len(turn.pictures) / max(turn.duration, 1e-3),
                    frames_indices=list(range(len(turn.pictures))),
                    duration=turn.duration,
                )
                for turn in shown
            ],
            "do_sample_frames": False,
            "cap_pixels_per_frame": True,  # as in Qwen's own code
        }
    return arguments


def qwen3(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """As Qwen2.5-VL, but every two frames are an image by themselves after their time.

    The template puts a video between marks, as Qwen's code before it; the images have their own,
    and the video none (transformers 4.57 took them away, 5.23 leaves them).
    """
    arguments = qwen(processor, conversations)
    video = processor.video_token
    marked = f"{processor.vision_start_token}{video}{processor.vision_end_token}"
    return arguments | {"text": [text.replace(marked, video) for text in arguments["text"]]}


def resize_as_qwen(processor: Any, picture: Picture, pixels: Pixels) -> Picture:
    """At a whole number of its patches, and between bounds that a 0 leaves to the weights.

    By Qwen's own rule, bicubic and antialiased as in its own code (qwen-vl-utils).
    """
    images = processor.image_processor
    height, width, _ = picture.shape
    size = smart_resize(
        height,
        width,
        factor=images.patch_size * images.merge_size,
        min_pixels=pixels.min or images.size["shortest_edge"],
        max_pixels=pixels.max or images.size["longest_edge"],
    )
    channels_first = torch.from_numpy(picture).permute(2, 0, 1)
    resized = functional.resize(
        channels_first, list(size), functional.InterpolationMode.BICUBIC, antialias=True
    )
    return resized.permute(1, 2, 0).numpy()


def paligemma(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """All pictures come first, then the text; the model knows no turns.

    A question is asked as the model was trained to be: after a task's name (big_vision's README of
    PaliGemma), which is "answer en" unless the question begins with one. The processor adds the
    line's end that was there in training, too.
    """
    pictures = _pictures(conversations)
    if not all(pictures):
        raise UserError(
            "params.yaml: train.language.frames is 0, and PaliGemma answers about pictures only. "
            "Show at least one."
        )
    texts = [
        processor.image_token * len(of_one)
        + "\n".join(
            text for turn in turns for text in (_as_task(turn.question), turn.answer) if text
        )
        for turns, of_one in zip(conversations, pictures, strict=True)
    ]
    return {"text": texts, "images": pictures}


def _as_task(question: str) -> str:
    return question if question.startswith(_TASKS) else f"answer en {question}"


def images(
    processor: Any,
    conversations: Sequence[Sequence[Turn]],
    *,
    media: Callable[[Turn], list[Part]],
    nested: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Every frame is an image in a chat.

    Args:
        processor: the family's.
        conversations: whose templates have all special tokens.
        media: a turn's images and what is said about them, before its question.
        nested: whether the processor takes a list of images for each conversation.
        options: further arguments, where there are images.
    """
    arguments = {
        "text": [_chat(processor, turns, media) for turns in conversations],
        "add_special_tokens": False,
    }
    pictures = _pictures(conversations)
    if not any(pictures):
        return arguments
    images: list[Any] = pictures if nested else [image for of_one in pictures for image in of_one]
    return arguments | {"images": images} | options


def bare(turn: Turn) -> list[Part]:
    """Images, and nothing said about them."""
    return [_IMAGE] * len(turn.pictures)


def numbered(turn: Turn) -> list[Part]:
    """As InternVL's processor writes a video (Zhu et al., 2025, 2.2); a single picture is bare."""
    if len(turn.pictures) < 2:
        return bare(turn)
    numbers = range(1, len(turn.pictures) + 1)
    return [part for n in numbers for part in ({"type": "text", "text": f"Frame{n}: "}, _IMAGE)]


def timed(turn: Turn) -> list[Part]:
    """As SmolVLM2's processor writes a video (Marafioti et al., 2025); a single picture is bare."""
    if len(turn.pictures) < 2:
        return bare(turn)
    seconds = int(turn.duration)
    length = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    before = f"You are provided the following series of {_in_words(len(turn.pictures))} frames from"
    before += f" a {length} [H:MM:SS] video.\n"
    parts: list[Part] = []
    for at in range(len(turn.pictures)):
        time = int(at * turn.duration / len(turn.pictures))
        before += f"\nFrame from {time // 60:02}:{time % 60:02}:"
        parts += [{"type": "text", "text": before}, _IMAGE]
        before = ""
    return [*parts, {"type": "text", "text": "\n\n"}]


def _in_words(number: int) -> str:
    """A number below a hundred."""
    if number < 20:
        return _ONES.split()[number]
    ten, one = _TENS.split()[number // 10 - 2], _ONES.split()[number % 10]
    return f"{ten}-{one}" if number % 10 else ten


def _pictures(conversations: Sequence[Sequence[Turn]]) -> list[list[Picture]]:
    return [[picture for turn in turns for picture in turn.pictures] for turns in conversations]
