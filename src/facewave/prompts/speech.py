"""What is said in a clip, recognised by Whisper (Radford et al., ICML 2023) and kept for ever.

A text is kept under the hash of the clip's bytes, its part, and the model, in the cache folder that
detections are in, too. So a clip is heard once; and what a GPU of another kind might decide in
another way at a near tie stays as it was first heard.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import files
from facewave.errors import UserError
from facewave.pictures import is_pictures

VERSION = 1  # of how a clip is heard: raise it when that changes

# Commits on https://huggingface.co; weights of other names are had as NAME@COMMIT, or in a folder.
REVISIONS = {
    "openai/whisper-tiny": "169d4a4341b33bc18d8881c4b69c2e104e1cc0af",
    "openai/whisper-base": "e37978b90ca9030d5170a5c07aadb050351a65bb",
    "openai/whisper-small": "973afd24965f72e36ca33b3055d56a652f456b4d",
    "openai/whisper-medium": "abdf7c39ab9d0397620ccaea8974cc764cd0953e",
    "openai/whisper-large-v3": "06f233fe06e710322aca913c1bc4249a0d71fce1",
    "openai/whisper-large-v3-turbo": "41f01f3fe87f28c78e2fbf8b568835947dd65ed9",
}
_NAME_AT_COMMIT = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
_START = "<|startoftranscript|>"
_SAVED = ("*.safetensors", "*.json", "*.txt")  # what a model's folder is loaded from

# As facewave.video has it: containers only, for a playlist could have other files opened.
_OPTIONS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,gif",
    "protocol_whitelist": "file",
}
# Peak below -60 dB of full scale: a muted track after lossy coding. Whisper hears words in silence.
_SILENT = 1e-3

Span = tuple[Path, float, float]


class Recogniser:
    """Whisper for many clips; it is loaded when the first one that is not in the cache comes.

    Args:
        model: one of ``REVISIONS``, NAME@COMMIT of another on the Hugging Face hub, or a folder.

    Raises:
        UserError: it is none of these.
    """

    def __init__(self, model: str) -> None:
        self._source, self._revision, self._identity = _find(model)
        self._digests: dict[Path, str] = {}
        self._loaded: tuple[Any, Any] | None = None

    def text(self, clip: Path, start: float = 0.0, end: float = math.inf) -> str:
        """What is said in a part of a clip, on one line.

        "" where nothing is: pictures, no sound, silence, or a track that cannot be decoded.

        Args:
            clip: a video, a picture or a folder of pictures.
            start: where the part begins, s from the clip's first frame; NaN: there.
            end: where it ends; NaN: with the clip.

        Raises:
            UserError: the model cannot be loaded.
        """
        if is_pictures(clip):
            return ""
        start, end = (0.0 if math.isnan(start) else start), (math.inf if math.isnan(end) else end)
        place = self._place(clip, start, end)
        text = _kept(place)
        if text is None:
            text = self._recognise(clip, start, end)
            files.write_json(place, {"text": text, "model": self._identity})
        return text

    def texts(self, spans: Sequence[Span]) -> list[str]:
        """``text`` of many parts, with a progress bar."""
        return [self.text(*span) for span in tqdm(spans, desc="speech", unit="clip")]

    def _place(self, clip: Path, start: float, end: float) -> Path:
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
        sound = hear(clip, extractor.sampling_rate, start, end)
        if not np.any(np.abs(sound) >= _SILENT):
            return ""
        long = len(sound) > extractor.n_samples
        inputs = processor(
            sound,
            sampling_rate=extractor.sampling_rate,
            return_tensors="pt",
            return_attention_mask=True,
            **({"truncation": False, "padding": "longest"} if long else {}),
        ).to(model.device)
        # Longer than its window of 30 s, Whisper goes on where its own timestamps say it stopped.
        # Models of one language know no tasks.
        task = "transcribe" if getattr(model.generation_config, "is_multilingual", False) else None
        ids = model.generate(
            **inputs, return_timestamps=long, task=task, do_sample=False, num_beams=1
        )
        said = processor.batch_decode(ids, skip_special_tokens=True)[0]
        return " ".join(said.replace("\0", "\ufffd").split())


def hear(clip: Path, rate: int, start: float, end: float) -> NDArray[np.float32]:
    """The sound of a clip from ``start`` to ``end``, those of its channels mixed into one.

    Args:
        clip: a video; its first audio track is taken.
        rate: samples a second.
        start: s from the clip's first frame.
        end: likewise; infinity: the clip's end.

    Returns:
        (n,) float32 in [-1, 1]; none where there is no sound, and what can be decoded where the
        file is damaged.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    begins: float | None = None
    pieces = []
    for time, frame in _frames(clip, start, end):
        begins = time if begins is None else begins
        frame.pts = None
        pieces += resampler.resample(frame)
    if begins is None:
        return np.zeros(0, np.float32)
    pieces += resampler.resample(None)
    sound = np.concatenate([piece.to_ndarray()[0] for piece in pieces])
    first = max(0, round((start - begins) * rate))
    last = round((end - begins) * rate) if math.isfinite(end) else None
    return sound[first:last].astype(np.float32, copy=False)


def _frames(clip: Path, start: float, end: float) -> Iterator[tuple[float, Any]]:
    """The audio frames that overlap a part, with their times (s from the first picture)."""
    with suppress(av.FFmpegError), av.open(str(clip), options=_OPTIONS) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            return
        first = next(iter(container.streams.video), stream)
        origin = float((first.start_time or 0) * first.time_base)
        now = 0.0
        for packet in container.demux(stream):
            frames = []
            with suppress(av.FFmpegError):  # one bad packet is a gap
                frames = packet.decode()
            for frame in frames:
                time = now if frame.time is None else frame.time - origin
                now = time + frame.samples / frame.sample_rate
                if time >= end:
                    return
                if now > start:
                    yield time, frame


def _find(model: str) -> tuple[str, str | None, str]:
    """Where a model is, its commit, and what the cache knows it by: content, not place."""
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


def _kept(place: Path) -> str | None:
    """The text of a file of the cache; None if there is none, or no sound one."""
    try:
        text = json.loads(place.read_bytes())["text"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return text if isinstance(text, str) else None


def _load(source: str, revision: str | None) -> tuple[Any, Any]:
    """A Whisper's processor and model, in float32 on the GPU if there is one.

    Raises:
        UserError: it cannot be had, or is not a whole Whisper.
    """
    # Seconds to import, and not needed where every text is in the cache.
    import torch
    from safetensors import SafetensorError
    from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperProcessor

    at: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        config, _ = WhisperConfig.get_config_dict(source, **at)
        if config.get("model_type") != "whisper":
            raise UserError(_advice(source, f"it is a {config.get('model_type')}, no Whisper"))
        # trust_remote_code: unless told, transformers asks, and a y runs the folder's code.
        processor = WhisperProcessor.from_pretrained(source, trust_remote_code=False, **at)
        loaded: Any = WhisperForConditionalGeneration.from_pretrained(
            source, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **at
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(_advice(source, str(error).strip().partition("\n")[0])) from None
    model, told = loaded
    if told["missing_keys"] or told["mismatched_keys"]:  # else they would be random
        raise UserError(_advice(source, "some of its weights are missing"))
    start = model.generation_config.decoder_start_token_id
    if processor.tokenizer.convert_ids_to_tokens(start) != _START:  # an empty one was made up
        raise UserError(_advice(source, "its tokenizer is missing"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return processor, model.to(device).eval()


def _advice(source: str, why: str) -> str:
    return (
        f"the speech recogniser {source} cannot be loaded ({why.rstrip('.')}). Connect to the "
        "internet once, so that it lies in the cache that HF_HOME names; or name a folder that has "
        "it in train.language.speech (params.yaml)."
    )
