"""What is said in a clip, recognised by Whisper (Radford et al., ICML 2023) and cached.

A text is kept under a hash of the clip's bytes, its part, and the model, in the cache folder that
also has the detections. So a clip is transcribed once, and a GPU of another kind, which may decide
near ties differently, changes nothing.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from facewave import files, sound
from facewave.errors import UserError
from facewave.params import Language
from facewave.pictures import is_pictures

VERSION = 2  # of how a clip is transcribed: raise it when that changes

# Commits on https://huggingface.co; other weights are named as NAME@COMMIT, or lie in a folder.
REVISIONS = {
    "openai/whisper-tiny": "169d4a4341b33bc18d8881c4b69c2e104e1cc0af",
    "openai/whisper-base": "e37978b90ca9030d5170a5c07aadb050351a65bb",
    "openai/whisper-small": "973afd24965f72e36ca33b3055d56a652f456b4d",
    "openai/whisper-medium": "abdf7c39ab9d0397620ccaea8974cc764cd0953e",
    "openai/whisper-large-v3": "06f233fe06e710322aca913c1bc4249a0d71fce1",
    "openai/whisper-large-v3-turbo": "41f01f3fe87f28c78e2fbf8b568835947dd65ed9",
}
_NAME_AT_COMMIT = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
_SAVED = ("*.safetensors", "*.json", "*.txt")  # the files that a model is loaded from
# Peak of a muted track after lossy coding, -60 dB of full scale. Whisper hears words in silence.
_SILENT = 1e-3


def transcripts(table: pd.DataFrame, root: Path, settings: Language) -> list[str]:
    """What is said in the clip of each row of a label table, "" if nothing is.

    Raises:
        UserError: speech is to be recognised, and the model for it cannot be loaded.
    """
    if settings.transcript == "none":
        return [""] * len(table)
    known: list[str] = table["transcript"].tolist()
    if settings.transcript == "known":
        return known
    spans = [
        (root / row.file_path, float(row.start), float(row.end))
        for row in table[table["transcript"] == ""].itertuples()
    ]
    recognised = iter(Recogniser(settings.speech).texts(spans))
    return [text or next(recognised) for text in known]


class Recogniser:
    """Whisper for many clips, loaded at the first one that is not in the cache.

    Args:
        model: one of ``REVISIONS``, NAME@COMMIT of another on the Hugging Face hub, or a folder.

    Raises:
        UserError: it is none of these.
    """

    def __init__(self, model: str) -> None:
        self._source, self._revision, self._identity = _resolve(model)
        self._digests: dict[Path, str] = {}
        self._loaded: tuple[Any, Any] | None = None

    def text(self, clip: Path, start: float = 0.0, end: float = math.inf) -> str:
        """What is said in a part of a video, on one line.

        "" for pictures, without sound, for silence, and for a track that cannot be decoded. Times
        are in s from the clip's first frame; NaN: the clip's own start or end.

        Raises:
            UserError: the model cannot be loaded.
        """
        if is_pictures(clip):
            return ""
        start, end = (0.0 if math.isnan(start) else start), (math.inf if math.isnan(end) else end)
        path = self._path(clip, start, end)
        text = _cached(path)
        if text is None:
            text = self._recognise(clip, start, end)
            files.write_json(path, {"text": text, "model": self._identity})
        return text

    def texts(self, spans: Sequence[tuple[Path, float, float]]) -> list[str]:
        """``text`` of many parts, with a progress bar."""
        return [self.text(*span) for span in tqdm(spans, desc="speech", unit="clip")]

    def _path(self, clip: Path, start: float, end: float) -> Path:
        if clip not in self._digests:  # many rows may be about one file
            self._digests[clip] = files.sha256(clip)
        part = [self._digests[clip], start, end if math.isfinite(end) else None]
        identity = {"clip": part, "model": self._identity, "version": VERSION}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return files.cache_folder("transcripts") / key[:2] / f"{key}.json"

    def _recognise(self, clip: Path, start: float, end: float) -> str:
        if self._loaded is None:
            self._loaded = _load(self._source, self._revision)
        processor, model = self._loaded
        extractor = processor.feature_extractor
        heard = sound.read(clip, extractor.sampling_rate, start, end)
        if not np.any(np.abs(heard) >= _SILENT):
            return ""
        # Beyond its window of 30 s Whisper continues from where its own timestamps end.
        is_long = len(heard) > extractor.n_samples
        inputs = processor(
            heard,
            sampling_rate=extractor.sampling_rate,
            return_tensors="pt",
            return_attention_mask=True,
            **({"truncation": False, "padding": "longest"} if is_long else {}),
        ).to(model.device)
        # Models of one language have no tasks.
        task = "transcribe" if getattr(model.generation_config, "is_multilingual", False) else None
        ids = model.generate(
            **inputs, return_timestamps=is_long, task=task, do_sample=False, num_beams=1
        )
        text = processor.batch_decode(ids, skip_special_tokens=True)[0]
        return " ".join(text.replace("\0", "\ufffd").split())


def _resolve(model: str) -> tuple[str, str | None, str]:
    """Where a model is, its commit, and its identity in the cache: content, not location."""
    if model and Path(model).is_dir():
        saved = sorted(file for pattern in _SAVED for file in Path(model).glob(pattern))
        digests = "".join(f"{file.name} {files.sha256(file)}\n" for file in saved)
        return model, None, hashlib.sha256(digests.encode()).hexdigest()
    if model in REVISIONS:
        model = f"{model}@{REVISIONS[model]}"
    if not _NAME_AT_COMMIT.fullmatch(model):
        raise UserError(
            f"params.yaml: train.language.speech is {model!r}, neither a folder nor one of "
            f"{', '.join(REVISIONS)}. Name one of these, a folder, or another model as NAME@COMMIT."
        )
    source, _, revision = model.partition("@")
    return source, revision, model


def _cached(path: Path) -> str | None:
    """The text in a file of the cache; None if there is none, or it is damaged."""
    try:
        text = json.loads(path.read_bytes())["text"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return text if isinstance(text, str) else None


def _load(source: str, revision: str | None) -> tuple[Any, Any]:
    """A Whisper's processor and model, in float32, on the GPU if there is one."""
    # These take seconds to import, and are not needed if every text is in the cache.
    import torch
    from safetensors import SafetensorError
    from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperProcessor

    options: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        config, _ = WhisperConfig.get_config_dict(source, **options)
        if config.get("model_type") != "whisper":
            raise UserError(_advice(source, f"it is a {config.get('model_type')}, not a Whisper"))
        # trust_remote_code: otherwise transformers asks, and a y runs the folder's code.
        processor = WhisperProcessor.from_pretrained(source, trust_remote_code=False, **options)
        options |= {"use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
        loaded: Any = WhisperForConditionalGeneration.from_pretrained(source, **options)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(_advice(source, str(error).strip().partition("\n")[0])) from None
    model, info = loaded
    if info["missing_keys"] or info["mismatched_keys"]:  # they would be random
        raise UserError(_advice(source, "some of its weights are missing"))
    start_id = model.generation_config.decoder_start_token_id
    start = processor.tokenizer.convert_ids_to_tokens(start_id)
    if start != "<|startoftranscript|>":  # transformers made one up
        raise UserError(_advice(source, "its tokenizer is missing"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return processor, model.to(device).eval()


def _advice(source: str, reason: str) -> str:
    return (
        f"the speech recogniser {source} cannot be loaded ({reason.rstrip('.')}). Connect to the "
        "internet once, so that it is in the cache that HF_HOME names; or name a folder that has "
        "it in train.language.speech (params.yaml)."
    )
