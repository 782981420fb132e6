"""Tiny models; loading saved ones, the messages if it fails, and how each family is prompted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, Qwen2VLVideoProcessor
from transformers.quantizers.quantizers_utils import should_convert_module

from facewave.errors import UserError
from facewave.models.vlm import backbones
from facewave.models.vlm.backbones import load, spared
from facewave.models.vlm.conversations import FACE, PREFIX, Turn
from facewave.models.vlm.families import FAMILIES
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import LanguageModelKind, Pixels
from facewave.prompts.answers import to_device
from making_language import KINDS, PAIR, turn

PLAIN = ([turn("Who?")], [turn("And who is this?", seed=1)])


def saved(name: str, folder: Path) -> Path:
    model, processor = FAMILIES[name].tiny()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_tiny_models_do_not_depend_on_the_seed_and_leave_it_alone() -> None:
    assert {*get_args(LanguageModelKind)} == {*FAMILIES, *(f"tiny-{name}" for name in FAMILIES)}
    for family in FAMILIES.values():
        torch.manual_seed(5)
        first = family.tiny()[0].state_dict()
        drawn = torch.rand(3)
        torch.manual_seed(6)
        second = family.tiny()[0].state_dict()
        assert first.keys() == second.keys()
        assert all(torch.equal(weight, second[name]) for name, weight in first.items())
        torch.manual_seed(5)
        assert torch.equal(torch.rand(3), drawn)


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_gives_the_model_that_was_saved(kind: LanguageModelKind, tmp_path: Path) -> None:
    name: Any = kind.removeprefix("tiny-")
    tiny, backbone = load(kind, "hub"), load(name, str(saved(name, tmp_path / "a@b")))
    assert backbone.revision == ""
    assert not backbone.model.training
    assert not any(weight.requires_grad for weight in backbone.model.parameters())
    assert backbone.hidden == tiny.hidden
    logits, expected = (x.model(**x.inputs(PLAIN)).logits for x in (backbone, tiny))
    torch.testing.assert_close(logits, expected)


def test_smolvlm2_is_read_as_the_hub_has_it(tmp_path: Path) -> None:
    """Its processor there is for videos, too, which takes one more package."""
    folder = saved("smolvlm2", tmp_path)
    config = json.loads((folder / "processor_config.json").read_text())
    pictures = config.pop("image_processor") | {"video_sampling": {"fps": 1, "max_frames": 64}}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    config["processor_class"] = "SmolVLMProcessor"
    (folder / "processor_config.json").write_text(json.dumps(config))
    inputs = load("smolvlm2", str(folder)).inputs(PLAIN)
    tiny = load("tiny-smolvlm2", "hub").inputs(PLAIN)
    assert all(torch.equal(x, tiny[name]) for name, x in inputs.items())


@torch.inference_mode()
def test_a_full_vocabulary_gets_rows_that_no_seed_changes(tmp_path: Path) -> None:
    model, processor = FAMILIES["smolvlm"].tiny()
    own = len(processor.tokenizer)
    model.resize_token_embeddings(own)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        backbone = load("smolvlm", str(tmp_path))
        assert backbone.model.get_input_embeddings().num_embeddings == own + 2
        found.append(backbone.model(**backbone.inputs(PAIR)).logits)
    # Kernels may round equal columns differently, depending on where in a matrix they are.
    near: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(*found, **near)
    padding = processor.tokenizer.pad_token_id
    torch.testing.assert_close(found[0][..., backbone.face_id], found[0][..., padding], **near)
    for table in (backbone.model.get_input_embeddings(), backbone.model.get_output_embeddings()):
        assert torch.equal(table.weight[own:], table.weight[[padding, padding]])


def edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = dict(load_file(folder / "model.safetensors"))
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def to_pickle(folder: Path) -> None:
    file = folder / "model.safetensors"
    torch.save(load_file(file), folder / "pytorch_model.bin")
    file.unlink()


def test_a_folder_that_is_no_complete_model_is_refused(tmp_path: Path) -> None:
    norm, weights = "model.text_model.norm.weight", "model.safetensors"
    absent = f"1 tensors are missing or of another shape, as {norm}"
    incomplete = "is not a complete model"
    damages: list[tuple[Callable[[Path], object], str]] = [
        (to_pickle, f"{incomplete} .*{weights}.*reading them can run code"),
        (lambda folder: (folder / weights).unlink(), incomplete),
        (lambda folder: edit_weights(folder, lambda x: x.pop(norm)), absent),
        (lambda folder: edit_weights(folder, lambda x: x.update({norm: torch.ones(2)})), absent),
        (lambda folder: (folder / weights).write_bytes(b"cut"), incomplete),
        (lambda folder: (folder / "config.json").write_text("{"), incomplete),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), incomplete),
        (lambda folder: (folder / "processor_config.json").unlink(), incomplete),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "x"}'), incomplete),
    ]
    whole = saved("smolvlm", tmp_path / "whole")
    for number, (damage, message) in enumerate(damages):
        folder = Path(shutil.copytree(whole, tmp_path / f"{number}"))
        damage(folder)
        with pytest.raises(UserError, match=message) as refusal:
            load("smolvlm", str(folder))
        assert str(folder) in str(refusal.value)
        assert "\n" not in str(refusal.value)
    with pytest.raises(UserError, match=r"of type idefics3, not qwen2_5_vl\. Name weights"):
        load("qwen2.5-vl", str(whole))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_four_bits_need_a_gpu() -> None:
    with pytest.raises(UserError, match=r"train\.language\.quantized needs a GPU and bitsandbytes"):
        load("smolvlm", "hub", quantized=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_in_four_bits_what_sees_pictures_and_what_answers_are_spared(name: str) -> None:
    """By the matcher of transformers itself."""
    family = FAMILIES[name]
    linear = {n for n, m in family.tiny()[0].named_modules() if isinstance(m, torch.nn.Linear)}
    converted = {n for n in linear if should_convert_module(n, spared(family))}
    assert {n for n in linear if ".q_proj" in n and "vision" not in n} <= converted
    assert not [n for n in converted if n.startswith((family.vision, family.projector, "lm_head"))]
    projector = {n for n in linear if n.startswith(family.projector)}
    assert linear - converted > projector
    assert projector or name == "gemma3"  # whose projector is a bare matrix


GATED = (
    "You are trying to access a gated repo.\nMake sure to have access to it at "
    "https://huggingface.co/google/paligemma2-3b-mix-224.\n401 Client Error. (Request ID: 1)\n"
    "Cannot access gated repo for url https://huggingface.co/google/paligemma2-3b-mix-224/"
)


def test_what_transformers_raises_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, message in (
        (GATED, "are gated: accept their terms at https://huggingface.co/google/paligemma2"),
        ("403 Client Error.\nmore", "are gated"),
        ("Access to model x is restricted.\nPlease log in.", "are gated"),
        ("there is no clip401 here.\nmore", r"cannot be loaded \(there is no clip401 here\)"),
    ):

        def refuse(*_: object, error: str = error, **__: object) -> None:
            raise OSError(error)

        monkeypatch.setattr(AutoConfig, "from_pretrained", refuse)
        with pytest.raises(UserError, match=message) as refusal:
            load("paligemma2", "hub")
        assert "google/paligemma2-3b-mix-224" in str(refusal.value)
        assert "\n" not in str(refusal.value)


EXAMPLES = [
    Turn([np.zeros((30, 30, 3), np.uint8)] * 2, 1.0, "What?", "sad"),
    Turn([np.full((30, 30, 3), 255, np.uint8)] * 2, 3.0, "And now?"),
]
CHATML = (
    "<|im_start|>user\n{}What?<|im_end|>\n<|im_start|>assistant\nsad<|im_end|>\n"
    "<|im_start|>user\n{}And now?<|im_end|>\n<|im_start|>assistant\n"
)
SMOL = (
    "<|im_start|>User:{}What?<end_of_utterance>\nAssistant: sad<end_of_utterance>\n"
    "User:{}And now?<end_of_utterance>\nAssistant:"
)
SERIES = (
    " You are provided the following series of two frames from a 0:00:0{} [H:MM:SS] video.\n\n"
    "Frame from 00:00:<image>\nFrame from 00:0{}:<image>\n\n"
)
TALKS = {
    "tiny-paligemma2": "<image>" * 4 + "<bos>answer en What?\nsad\nanswer en And now?\n",
    "tiny-gemma3": (
        "<bos><start_of_turn>user\n<image><image>What?<end_of_turn>\n<start_of_turn>model\n"
        "sad<end_of_turn>\n<start_of_turn>user\n<image><image>And now?<end_of_turn>\n"
        "<start_of_turn>model\n"
    ),
    "tiny-qwen2.5-vl": CHATML.format("<image>", "<image>"),
    "tiny-qwen3-vl": CHATML.format("<0.2 seconds><image>", "<0.8 seconds><image>"),
    "tiny-internvl3": CHATML.format(*["Frame1: <image>\nFrame2: <image>\n"] * 2),
    "tiny-smolvlm": SMOL.format(*["<image><image>"] * 2),
    "tiny-smolvlm2": SMOL.format(SERIES.format(1, 0), SERIES.format(3, 1)),
}
QWEN_IMAGE = "<|vision_start|>" + "<|video_pad|>" * 4 + "<|vision_end|>"
SMOL_IMAGE = "<fake_token_around_image><global-img>" + "<image>" * 4 + "<fake_token_around_image>"
SHOWN = {  # the tokens of a picture, or of two of a video
    "tiny-paligemma2": "<image>" * 4,
    "tiny-gemma3": "\n\n<start_of_image>" + "<image_soft_token>" * 4 + "<end_of_image>\n\n",
    "tiny-qwen2.5-vl": QWEN_IMAGE,
    "tiny-qwen3-vl": QWEN_IMAGE,
    "tiny-internvl3": "<img>" + "<IMG_CONTEXT>" * 4 + "</img>",
    "tiny-smolvlm": SMOL_IMAGE,
    "tiny-smolvlm2": SMOL_IMAGE,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_has_the_format_of_its_family(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    inputs = backbone.inputs([EXAMPLES])
    text = backbone.processor.tokenizer.decode(inputs["input_ids"][0])
    assert text.replace(SHOWN[kind], "<image>") == TALKS[kind]
    if kind == "tiny-qwen2.5-vl":  # two frames a grid, over one and over three seconds
        assert [float(x) for x in inputs["second_per_grid_ts"]] == [1.0, 3.0]

    tokenizer = backbone.processor.tokenizer
    assert len(tokenizer) <= backbone.model.get_input_embeddings().num_embeddings
    text = "Wie heißt das? 😀"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    few, many = (backbone.inputs([[turn(frames=n)]])["input_ids"].shape[1] for n in (4, 8))
    assert many > few
    ids = tokenizer(f"a{FACE}{FACE}b{PREFIX}", add_special_tokens=False)["input_ids"]
    assert ids[1:3] == [backbone.face_id] * 2
    assert (ids[4], len(ids)) == (backbone.prefix_id, 5)

    inputs = backbone.inputs(PAIR)
    assert "labels" not in inputs
    mask = inputs["attention_mask"]
    assert mask[:, -1].tolist() == [1, 1]
    assert (mask.diff(dim=1) >= 0).all()
    short, long = (int(row) for row in mask.sum(1))
    assert short < long == mask.shape[1]
    single = backbone.inputs(PAIR[:1])["input_ids"][0]
    assert torch.equal(inputs["input_ids"][0, -short:], single)
    answer = backbone.answer_ids("very sad")
    assert tokenizer.decode(answer[:-1]).strip() == "very sad"
    ends = {"tiny-paligemma2": "<eos>", "tiny-gemma3": "<end_of_turn>"}
    ends |= {"tiny-smolvlm": "<end_of_utterance>", "tiny-smolvlm2": "<end_of_utterance>"}
    assert tokenizer.decode(answer[-1:]) == ends.get(kind, "<|im_end|>")


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_picture_is_an_image_beside_videos_of_others(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    talks = [[turn("Who?", frames=1)], [turn("And who is this?", frames=4, seed=1)]]
    both, alone = backbone.inputs(talks), backbone.inputs(talks[:1])
    if kind == "tiny-qwen2.5-vl":
        assert len(both["image_grid_thw"]) == len(both["video_grid_thw"]) == 1
        assert not {"video_grid_thw", "pixel_values_videos"} & alone.keys()
    with torch.inference_mode():
        together, single = (backbone.model(**inputs).logits[0, -1] for inputs in (both, alone))
    torch.testing.assert_close(together, single, atol=1e-4, rtol=0)


def test_smolvlm2_is_told_how_many_frames_there_are_and_when() -> None:
    backbone = load("tiny-smolvlm2", "hub")
    shown = turn(frames=45)
    [text] = backbone.family.arguments(
        backbone.processor, [[Turn(shown.pictures, 3725.0, "Who?")]]
    )["text"]
    assert "following series of forty-five frames from a 1:02:05 [H:MM:SS] video.\n\n" in text
    assert text.count("<image>") == 45
    assert "\nFrame from 01:22:<image>\nFrame from 02:45:<image>" in text
    for count, word in ((2, "two"), (19, "nineteen"), (20, "twenty"), (64, "sixty-four")):
        talk = [[Turn([shown.pictures[0]] * count, 1.0, "Who?")]]
        [text] = backbone.family.arguments(backbone.processor, talk)["text"]
        assert f"series of {word} frames" in text


def test_paligemma_is_asked_as_a_task_unless_the_prompt_names_one() -> None:
    backbone = load("tiny-paligemma2", "hub")
    for asked, said in (("Who?", "answer en Who?"), ("caption en", "caption en")):
        ids = backbone.inputs([[turn(asked)]])["input_ids"][0]
        text = backbone.processor.tokenizer.decode(ids, skip_special_tokens=True)
        assert text.replace("<image>", "") == f"{said}\n"


def test_pixels_bound_the_pictures_of_the_qwens_and_of_no_others() -> None:
    talks = [[turn("Who?", frames=1)], [turn("Who?", frames=4)], [turn("Who?", frames=8)]]
    kinds: dict[LanguageModelKind, int] = {"tiny-qwen2.5-vl": 28, "tiny-qwen3-vl": 32}
    for kind, cell in kinds.items():  # the side of a token, in pixels
        for pixels, side in (
            (Pixels(0, 0), 2),  # the weights' own
            (Pixels((2 * cell) ** 2, 0), 2),
            (Pixels(1, cell**2), 1),
            (Pixels((4 * cell) ** 2, (5 * cell) ** 2), 4),
        ):
            backbone = load(kind, "hub", pixels=pixels)
            inputs = backbone.inputs(talks)
            grid = [2 * side, 2 * side]  # patches: four a token
            assert inputs["image_grid_thw"].tolist() == [[1, *grid]]
            assert inputs["video_grid_thw"].tolist() == [[2, *grid], [4, *grid]]
            with torch.inference_mode():
                assert backbone.model(**inputs).logits.isfinite().all()
    with pytest.raises(UserError, match=r"pixels: min \(4000\) is above max \(3136\)"):
        load("tiny-qwen3-vl", "hub", pixels=Pixels(4000, 3136))
    for other in set(KINDS) - set(kinds):
        with pytest.raises(UserError, match=r"pixels is for qwen2\.5-vl, qwen3-vl\. tiny-"):
            load(other, "hub", pixels=Pixels(3136, 0))


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_without_bfloat16_pictures_are_seen_in_float32(
    kind: LanguageModelKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a card like the T4: what would overflow in float16 does not."""
    name: Any = kind.removeprefix("tiny-")
    family, exact = FAMILIES[name], load(kind, "hub")
    for module, weight in exact.model.named_parameters():
        if module.startswith(family.vision) and weight.ndim > 3:
            weight.mul_(2e5)  # patches reach beyond 65,504
    exact.model.save_pretrained(tmp_path)
    family.tiny()[1].save_pretrained(tmp_path)
    monkeypatch.setattr(backbones, "precision", lambda: torch.float16)
    half = load(name, str(tmp_path))
    seeing = (family.vision, family.projector)
    for module, weight in half.model.named_parameters():
        assert weight.dtype == (torch.float32 if module.startswith(seeing) else torch.float16)
    scores = []
    for backbone in (half, exact):
        config = LanguageModelConfig(kind, "hub", "", "zero_shot", classes=())
        model = LanguageModel(config, backbone).eval()
        inputs = to_device(backbone.inputs(PLAIN), model)
        with torch.autocast("cpu", torch.float16, enabled=backbone is half):
            scores.append(model.log_likelihoods(inputs, [backbone.answer_ids("sad")]))
            assert model.write(inputs, 2)
    torch.testing.assert_close(*scores, atol=0.05, rtol=0.01)


def test_frames_of_the_usual_size_stay_as_they_are_in_qwen() -> None:
    """With the settings of its weights; see what the docstring says."""
    frames = np.zeros((4, 224, 224, 3), np.uint8)
    with_weights = Qwen2VLVideoProcessor(min_pixels=3136, max_pixels=12845056)
    default = Qwen2VLVideoProcessor()
    options = {"do_sample_frames": False, "cap_pixels_per_frame": True, "return_tensors": "pt"}
    assert with_weights(videos=[frames], **options)["video_grid_thw"].tolist() == [[2, 16, 16]]
    assert default(videos=[frames], **options)["video_grid_thw"].tolist() == [[2, 24, 24]]
    backbone = load("tiny-qwen2.5-vl", "hub")
    assert backbone.family.arguments(backbone.processor, PLAIN)["cap_pixels_per_frame"] is True
