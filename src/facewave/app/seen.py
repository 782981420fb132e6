"""A person's own clips, detected as a dataset's clips are: once, and then read from the cache."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params, shards
from facewave.appearance import embed, encoders
from facewave.appearance import schema as appearance
from facewave.errors import UserError
from facewave.faces import crop
from facewave.faces import schema as faces
from facewave.files import sha256
from facewave.labels import sidecars
from facewave.labels.cleaning import FileFact
from facewave.landmarks import cache, extract
from facewave.landmarks import schema as landmarks
from facewave.landmarks.schema import ClipFacts, Trajectory, read_clip, read_facts
from facewave.params import Block, Params
from facewave.pictures import is_pictures
from facewave.training.schema import Trained
from facewave.voice import schema as voice
from facewave.voice.listen import Listener
from facewave.wavelets.features import features, heard_features, seen_features
from facewave.wavelets.schema import SEEN, channels_of, shapes
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips, Stored, pack

Blocks = Mapping[Block, NDArray[np.float32]]  # features by name, each (n, N, ...)
_PERSON = "the person"  # whose clips are asked about


def see(clips: Sequence[Path], fps: float, settings: Params) -> extract.Ensured:
    """Detect those clips that are neither in the cache nor among a dataset's shipped trajectories.

    ``fps`` is that of folders of pictures.
    """
    packs = [pack(name) for name in settings.datasets]

    def whole() -> extract.Ensured:
        ensured = extract.ensure(clips, "clips", fps, settings.landmarks, packs)
        for key in set(ensured.keys) - set(ensured.problems):
            shards.verify(cache.place(key))
        return ensured

    return shards.mended(whole)


def look(clip: Path, fps: float, settings: Params) -> tuple[Trajectory, ClipFacts]:
    """What is seen in one clip.

    Raises:
        UserError: it could not be detected.
    """
    ensured = see([clip], fps, settings)
    (key,) = ensured.keys
    if key in ensured.problems:
        raise UserError(f"{clip}: {ensured.problems[key]}.")
    return read_clip(cache.place(key)), read_facts(cache.place(key))


def each(
    clips: Sequence[Path],
    files: Sequence[Path],
    draw: Callable[[Path, Path, float], None],
    fps: float,
) -> bool:
    """Draw each clip into its file; of several, one that cannot be drawn stops no other.

    They are detected first, on all cores.

    Returns:
        Whether all of them were drawn.

    Raises:
        UserError: the only clip cannot be drawn.
    """
    if len(clips) == 1:
        draw(clips[0], files[0], fps)
        return True
    see(clips, fps, params.for_clips())
    drawn = 0
    for clip, file in zip(clips, files, strict=True):
        try:
            draw(clip, file, fps)
        except UserError as error:
            print(error, file=sys.stderr)
        else:
            drawn += 1
    return drawn == len(clips)


def as_clips(
    clip: Path,
    fps: float,
    file: Path,
    parts: pd.DataFrame,
    model: Trained,
    settings: Params,
    baseline: Sequence[Blocks] = (),
    cut_out: Path | None = None,
) -> Clips:
    """Parts of a clip that is in no dataset, as a model takes clips.

    Args:
        clip: a video, or pictures.
        fps: of pictures.
        file: its trajectory in the cache.
        parts: ``start`` and ``end`` of each (s from the first frame; NaN: no limit), ``usable``,
            whether its face is good enough to answer by, and ``face_px``, its size.
        model: which is to answer; only what it takes is made.
        settings: params.yaml.
        baseline: the features of other clips of the person, one clip each.
        cut_out: its faces, named by what they follow from; None: they are cut out of the clip.

    Raises:
        UserError: the model learnt from other blendshapes or another version of the encoder, or
            the encoder cannot be had; or the clip cannot be listened to as the others were.
    """
    trajectory, facts = read_clip(file), read_facts(file)
    names = [f"{clip.name}#{i}" for i in range(len(parts))]
    row = dict.fromkeys(("subject", "source", "actual", "transcript", "table", "scores"), "")
    table = pd.DataFrame([row] * len(parts)).assign(
        video_idx=names,
        file_path=clip.name,
        at=range(len(parts)),
        **{name: parts[name].to_numpy() for name in ("start", "end", "usable")},
    )
    if model.needs_transcript:
        table = sidecars.fill(table, {clip.name: FileFact(exists=True)}, clip.parent)
    (entry,) = landmarks.entries(file)

    def stored(path: Path, row_groups: int) -> pd.DataFrame:
        """Where every part lies in a file of the cache."""
        first = 0 if row_groups else None
        place = {"key": path.stem, "shard": path.name if row_groups else "",
                 "row_group": first, "row_groups": row_groups}  # fmt: skip
        return table[["start", "end"]].assign(**place).set_axis(names)

    index = stored(file, entry.row_groups).assign(
        duration=landmarks.duration(trajectory.times_T),
        face_px=parts["face_px"].to_numpy(),
        width=facts.width,
        height=facts.height,
    )
    clips = Clips(table, {}, clip.parent, fps, file.parent, index, model.wavelets)
    if entry.row_groups and (model.encoder or model.needs_pictures):
        if cut_out is None:
            source = crop.Source(clip.absolute(), file.stem, file, 0, entry.row_groups)
            kept = cut_out = faces.KIND.place(crop.key(file.stem, settings.faces))
            shards.mended(lambda: shards.verify(crop.one(kept, source, fps, settings.faces)))
        (faces_entry,) = faces.KIND.entries(cut_out)
        where = stored(cut_out, faces_entry.row_groups)
        cut = asdict(settings.faces)
        clips = replace(clips, stored_faces=Stored(cut_out.parent, "faces", where, cut))
        if model.encoder:
            encoder = encoders.load(model.encoder)
            looked = appearance.KIND.place(embed.key(cut_out.stem, encoder))
            face_source = embed.Source(cut_out, 0, faces_entry.row_groups, settings.faces.margin)
            shards.mended(lambda: shards.verify(embed.one(looked, face_source, encoder)))
            where, config = stored(looked, faces_entry.row_groups), embed.describe(encoder)
            of_encoder = Stored(looked.parent, "appearance", where, config)
            clips = replace(clips, stored_appearance=of_encoder)
            if set(SEEN) & set(model.inputs):  # as stage wavelet has it
                looks = map(clips.appearance, names)
                is_seen = [one is not None and bool(one.valid_F.any()) for one in looks]
                table = table.assign(usable=table["usable"] & np.array(is_seen))
                clips = replace(clips, table=table)
    if params.apart(model.inputs)["voice"] or model.needs_voice:
        clips = replace(clips, stored_voice=_heard(clip, stored, model, settings))
        voices = map(clips.voice, names)
        table = table.assign(heard=[one is not None and one.is_heard for one in voices])
        clips = replace(clips, table=table)
    blocks = blocks_of(trajectory, facts, clips, model) if model.inputs else {}
    if not baseline:
        return replace(clips, blocks=blocks)
    return replace(
        clips,
        table=table.assign(subject=_PERSON),
        blocks={
            name: np.concatenate([block, *(other[name] for other in baseline)])
            for name, block in blocks.items()
        },
        people={_PERSON: np.arange(len(parts), len(parts) + len(baseline))},
    )


def _heard(
    clip: Path, stored: Callable[[Path, int], pd.DataFrame], model: Trained, settings: Params
) -> Stored:
    """What is heard in a clip, listened to as the clips that a model learnt from were.

    Raises:
        UserError: they were listened to otherwise, or something for it is missing.
    """
    listener = Listener(settings.voice)
    if model.wavelets["voice"] != listener.describe().described:
        raise UserError(
            "the model was trained on what was heard with other settings (params.yaml: voice) or "
            "by another version. Set them as they were, or train it again: dvc repro train"
        )
    if is_pictures(clip):
        return Stored(clip, "voice", stored(clip, 0), listener.describe())
    target = voice.KIND.place(listener.key(sha256(clip)))
    if not voice.KIND.has(target.stem):
        listener.require()
    shards.mended(lambda: shards.verify(listener.one(target, clip)))
    (entry,) = voice.KIND.entries(target)
    groups = 0 if entry.about["unheard"] else entry.row_groups
    return Stored(target.parent, "voice", stored(target, groups), listener.describe())


def blocks_of(trajectory: Trajectory, facts: ClipFacts, clips: Clips, model: Trained) -> Blocks:
    """The features that a model takes, of each part: name -> (n, N, ...), NaN if not usable."""
    options = {option.name: model.wavelets[option.name] for option in fields(Transform)}
    transform, encoder = Transform(**options), clips.encoder()
    seen_shapes = {name: (len(channels),) for name, channels in encoder.channels.items()}
    if model.encoder and model.wavelets["encoder"] != encoder.described:
        raise UserError(
            f"the model was trained on what another version of the encoder {model.encoder} saw. "
            "Train it again: dvc repro train"
        )
    sounds = clips.stored_voice.config.channels if clips.stored_voice else {}
    seen_shapes |= {name: (len(channels),) for name, channels in sounds.items()}
    shape_of, usable = shapes(transform.sides) | seen_shapes, clips.table["usable"]
    if lacking := [name for name in model.inputs if name not in shape_of]:
        raise UserError(
            f"the model takes {lacking[0]}, which other tools make and facewave does not: it can "
            "answer no clip of one's own. Name a model that takes what facewave sees."
        )
    named = channels_of(trajectory.names, transform.sides)
    if usable.any() and named != model.wavelets["blendshapes"]:
        raise UserError(
            "the model was trained on other blendshapes. Train it again: dvc repro train"
        )
    blocks = {
        name: np.full((len(usable), transform.numbers, *shape_of[name]), math.nan, np.float32)
        for name in model.inputs
    }
    for at, part in enumerate(clips.table.itertuples()):
        if part.usable:
            seen = landmarks.between(trajectory, part.start, part.end)
            numbers = features(seen, facts, transform, model.inputs)
            looked = clips.appearance(part.video_idx) if model.encoder else None
            if looked is not None and looked.valid_F.any():
                numbers |= seen_features(looked, transform, model.inputs)
            for name, values in numbers.items():
                blocks[name][at] = values
        heard = clips.voice(part.video_idx) if clips.stored_voice and part.heard else None
        if heard is not None:
            for name, values in heard_features(heard, transform, model.inputs).items():
                blocks[name][at] = values
    return blocks
