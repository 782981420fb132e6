"""Real loading of saved tiny models, what is said if it fails, and how families are spoken to."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, Qwen2VLVideoProcessor

from facewave.errors import UserError
from facewave.models.vlm import backbones
from facewave.models.vlm.backbones import FACE, FAMILIES, PREFIX, Turn, load
from facewave.params import LanguageModelKind
from making_language import KINDS, PAIR, turn

PLAIN = ([turn("Who?")], [turn("And who is this?", seed=1)])
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def saved(name: str, folder: Path) -> Path:
    model, processor = FAMILIES[name].tiny()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def weights_in(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    file = folder / "model.safetensors"
    return file, dict(load_file(file))


def real(kind: LanguageModelKind) -> Any:
    return kind.removeprefix("tiny-")


def test_every_family_has_a_real_and_a_tiny_kind() -> None:
    assert {*get_args(LanguageModelKind)} == {*FAMILIES, *(f"tiny-{name}" for name in FAMILIES)}


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_gives_the_model_that_was_saved(kind: LanguageModelKind, tmp_path: Path) -> None:
    folder = saved(real(kind), tmp_path / "a@b")
    tiny, backbone = load(kind, "hub"), load(real(kind), str(folder))
    assert backbone.revision == ""
    assert not backbone.model.training
    assert not any(weight.requires_grad for weight in backbone.model.parameters())
    assert backbone.hidden == tiny.hidden
    ours, theirs = backbone.inputs(PLAIN), tiny.inputs(PLAIN)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(torch.as_tensor(tensor), torch.as_tensor(theirs[name])), name
    logits = backbone.model(**ours).logits.float()
    torch.testing.assert_close(logits, tiny.model(**theirs).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_tokens_of_their_own(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    tokenizer = backbone.processor.tokenizer
    ids = tokenizer(f"a{FACE}{FACE}b{PREFIX}", add_special_tokens=False)["input_ids"]
    assert ids[1:3] == [backbone.face_id] * 2
    assert ids[4] == backbone.prefix_id
    assert len(ids) == 5


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
    assert torch.equal(*found)
    padding = processor.tokenizer.pad_token_id
    assert torch.equal(found[0][..., backbone.face_id], found[0][..., padding])


Damage = Callable[[Path], object]


def as_pickle(folder: Path) -> None:
    file, tensors = weights_in(folder)
    torch.save(tensors, folder / "pytorch_model.bin")
    file.unlink()


def without_one(folder: Path) -> None:
    file, tensors = weights_in(folder)
    del tensors["model.text_model.norm.weight"]
    save_file(tensors, file, {"format": "pt"})


def misshapen(folder: Path) -> None:
    file, tensors = weights_in(folder)
    tensors["model.text_model.norm.weight"] = torch.zeros(2, 3)
    save_file(tensors, file, {"format": "pt"})


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def of_type(name: str) -> Damage:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"model_type": name}))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (as_pickle, "holds no whole model .*model.safetensors.*reading them can run code"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no whole model"),
        (without_one, "1 tensors are missing or of another shape, as model.text_model.norm.weight"),
        (misshapen, "1 tensors are missing or of another shape, as model.text_model.norm.weight"),
        (cut, "holds no whole model"),
        (lambda folder: (folder / "config.json").write_text("{"), "holds no whole model"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "holds no whole model"),
        (lambda folder: (folder / "processor_config.json").unlink(), "holds no whole model"),
        (of_type("bert"), "is a model of type bert, not idefics3. Name weights of that type"),
        (of_type("nonsense"), "holds no whole model"),
    ],
)
def test_a_folder_that_holds_no_model_is_told(damage: Damage, said: str, tmp_path: Path) -> None:
    damage(saved("smolvlm", tmp_path))
    with pytest.raises(UserError, match=said) as told:
        load("smolvlm", str(tmp_path))
    assert str(tmp_path) in str(told.value)
    assert "\n" not in str(told.value)


def test_code_beside_the_weights_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = saved("smolvlm", tmp_path / "model"), tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "odd.py").write_text(f"open({str(ran)!r}, 'w')\nclass Odd: pass\n")
    monkeypatch.setattr("builtins.input", lambda prompt="": "y")  # if transformers asks
    with pytest.raises(UserError, match="contains custom code"):
        load("smolvlm", str(folder))
    assert not ran.exists()


def test_weights_of_another_family_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of type idefics3, not qwen2_5_vl"):
        load("qwen2.5-vl", str(saved("smolvlm", tmp_path)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_four_bits_need_a_gpu() -> None:
    with pytest.raises(UserError, match=r"train\.language\.quantized needs a GPU and bitsandbytes"):
        load("smolvlm", "hub", quantized=True)


GATED = (
    "You are trying to access a gated repo.\nMake sure to have access to it at "
    "https://huggingface.co/google/paligemma2-3b-mix-448.\n401 Client Error. (Request ID: 1)\n"
    "Cannot access gated repo for url https://huggingface.co/google/paligemma2-3b-mix-448/"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(GATED),
            "are gated: accept their terms at https://huggingface.co/google/paligemma2",
        ),
        (OSError("403 Client Error.\nmore"), "are gated"),
        (OSError("Access to model x is restricted.\nPlease log in."), "are gated"),
        (OSError("there is no clip401 here.\nmore"), r"cannot be had \(there is no clip401 here\)"),
    ],
)
def test_what_transformers_raises_is_told(
    error: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(AutoConfig, "from_pretrained", refuse)
    with pytest.raises(UserError, match=said) as told:
        load("paligemma2", "hub")
    assert "google/paligemma2-3b-mix-448" in str(told.value)
    assert "\n" not in str(told.value)


OFFLINE = """
import json, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}:
        print(event, arguments, flush=True)

sys.addaudithook(watch)
from facewave.errors import UserError
from facewave.models.vlm.backbones import load

def told(weights):
    try:
        return load("smolvlm", weights).revision
    except UserError as error:
        return str(error)

load("tiny-smolvlm", "hub")
print(json.dumps({weights: told(weights) for weights in sys.argv[1:]}))
"""


def test_what_the_hub_has_given_once_is_found_offline_by_its_commit(tmp_path: Path) -> None:
    """The hub's own cache, as it lies on the disk; in a process of its own, which calls nobody."""
    stored = tmp_path / "hub" / "models--me--tiny"
    saved("smolvlm", stored / "snapshots" / COMMIT)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(COMMIT)
    asked = ["me/tiny", f"me/tiny@{COMMIT}", "me/tiny@other", "nobody/nothing", "hub", "a b"]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *asked],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [only] = done.stdout.splitlines()  # no connection
    found = json.loads(only)
    assert found["me/tiny"] == found[f"me/tiny@{COMMIT}"] == COMMIT
    for weights in ("me/tiny@other", "nobody/nothing", "hub", "a b"):
        source = "HuggingFaceTB" if weights == "hub" else weights.partition("@")[0]
        assert found[weights].startswith(f"the weights of {source}")
        assert "Connect to the internet once, or name a folder" in found[weights]


@pytest.mark.parametrize("kind", KINDS)
def test_conversations_are_padded_left_and_answers_end(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    tokenizer = backbone.processor.tokenizer
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
    assert answer[-1] == tokenizer.eos_token_id


EXAMPLES = [
    Turn([np.zeros((30, 30, 3), np.uint8)] * 2, 1.0, "What?", "sad"),
    Turn([np.full((30, 30, 3), 255, np.uint8)] * 2, 3.0, "And now?"),
]
TALKS = {
    "tiny-paligemma2": "<bos>What?\nsad\nAnd now?\n",
    "tiny-qwen2.5-vl": (
        "<|im_start|>user\n<video>What?<|im_end|>\n<|im_start|>assistant\nsad<|im_end|>\n"
        "<|im_start|>user\n<video>And now?<|im_end|>\n<|im_start|>assistant\n"
    ),
    "tiny-smolvlm": (
        "<|im_start|>User:<image><image> What?<end_of_utterance>\n"
        "Assistant: sad<end_of_utterance>\n"
        "User:<image><image> And now?<end_of_utterance>\nAssistant:"
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_is_said_in_the_familys_own_way(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    inputs = backbone.inputs([EXAMPLES])
    said = backbone.processor.tokenizer.decode(inputs["input_ids"][0])
    shown = {
        "tiny-paligemma2": ("<image>" * 16, ""),
        "tiny-qwen2.5-vl": ("<|vision_start|>" + "<|video_pad|>" * 4 + "<|vision_end|>", "<video>"),
        "tiny-smolvlm": (
            "<fake_token_around_image><global-img>" + "<image>" * 4 + "<fake_token_around_image>",
            "<image>",
        ),
    }
    assert said.replace(*shown[kind]) == TALKS[kind]
    if kind == "tiny-qwen2.5-vl":  # two frames a grid, over one and over three seconds
        assert [float(x) for x in inputs["second_per_grid_ts"]] == [1.0, 3.0]


def test_frames_of_the_usual_size_stay_as_they_are_in_qwen() -> None:
    """With the settings of its weights; see what the docstring says."""
    frames = np.zeros((4, 224, 224, 3), np.uint8)
    own = Qwen2VLVideoProcessor(min_pixels=3136, max_pixels=12845056)
    theirs = Qwen2VLVideoProcessor()
    how = {"do_sample_frames": False, "cap_pixels_per_frame": True, "return_tensors": "pt"}
    assert own(videos=[frames], **how)["video_grid_thw"].tolist() == [[2, 16, 16]]
    assert theirs(videos=[frames], **how)["video_grid_thw"].tolist() == [[2, 24, 24]]
    made = backbones.load("tiny-qwen2.5-vl", "hub")
    given = made.family.arguments(made.processor, PLAIN)
    assert given["cap_pixels_per_frame"] is True
