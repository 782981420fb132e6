"""``facewave pretrain``: a vision transformer learns from faces without labels.

Writes  FOLDER/encoder.safetensors  what train.vision.weights takes for vit_mae
        FOLDER/config.json          what it learnt from, and how
        FOLDER/losses.csv           of each epoch
        FOLDER/state.safetensors    what a killed run goes on from; gone when all epochs are done
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import save_file
from transformers import ViTMAEForPreTraining

from facewave import on_torch, params
from facewave.errors import UserError
from facewave.files import locked, replacing, sealed, sha256, write_csv, write_json
from facewave.labels.folders import walk
from facewave.models.vision import vit_mae
from facewave.pictures import PICTURES
from facewave.training import autoencoder
from facewave.training.autoencoder import Progress, Settings
from facewave.training.unlabelled import CutOut, Folder, Pictures, Source
from facewave.workspace import Dataset

_NAMED = 20  # unreadable pictures


def pretrain(words: Sequence[str], folder: Path, settings: Settings) -> None:
    """Pretrain an autoencoder on all pictures of some sources, and write its encoder.

    Args:
        words: datasets of params.yaml whose faces are cut out, or folders of pictures.
        folder: what is written.
        settings: of the training.

    Raises:
        UserError: a word names no pictures, the folder has another run's files, or as of
            ``autoencoder.build`` and ``autoencoder.train``.
    """
    model = autoencoder.build(settings)
    sources, told = zip(*map(_source, words), strict=True)
    pictures = Pictures(sources)
    about: dict[str, Any] = {"type": "vit_mae encoder", "settings": asdict(settings)}
    about |= {"sources": list(told), "pictures": len(pictures)}
    is_main = on_torch.processes().is_main_process  # of several, which accelerate has started
    with locked(folder) if is_main else nullcontext():
        if _is_done(folder, about):
            print(f"{folder / 'encoder.safetensors'} is there already, of the same pictures")
            return
        state = folder / "state.safetensors"
        progress = autoencoder.train(
            model, pictures, settings, state, partial(_report, folder, about)
        )
        if is_main:
            _write(folder, about, model, [pictures.name(at) for at in progress.unreadable])
            state.unlink()


def _report(folder: Path, about: dict[str, Any], progress: Progress) -> None:
    """Write and say how far a run is."""
    if len(progress.losses) == 1:
        write_json(folder / "config.json", about)
    write_csv(folder / "losses.csv", pd.DataFrame(progress.losses))
    latest = progress.losses[-1]
    print(
        f"epoch {latest['epoch'] + 1:g}: loss {latest['train_loss']:.4f}, held out "
        f"{latest['held_out_loss']:.4f} (a flat patch has 1)"
    )


def _write(
    folder: Path, about: dict[str, Any], model: ViTMAEForPreTraining, unreadable: list[str]
) -> None:
    """Write a finished run's encoder, and say how to use it."""
    encoder = folder / "encoder.safetensors"
    with replacing(encoder) as temporary:
        save_file(vit_mae.convert(model.state_dict()), temporary)
    told = about | {"unreadable": len(unreadable), "such_as": unreadable[:_NAMED]}
    write_json(folder / "config.json", sealed(told, [encoder]))
    if unreadable:
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        print(f"could not be read: {', '.join(unreadable[:_NAMED])}{more}")
    side, width = about["settings"]["side"], about["settings"]["width"]
    print(
        f"{encoder}: from {about['pictures'] - len(unreadable):,} faces; use it with\n"
        f"  dvc exp run -S train.model=vit_mae -S train.vision.weights={encoder} "
        f"-S train.vision.side={side} -S train.vision.width={width:g}"
    )


def _source(word: str) -> tuple[Source, dict[str, Any]]:
    """What a word names, and what config.json says of it."""
    settings = params.load() if params.PARAMS_FILE.exists() else None
    if settings and word in settings.datasets:
        dataset = Dataset(word, settings)
        index = dataset.faces / "index.csv"
        if not index.exists():
            raise UserError(f"{dataset.faces} has no faces yet. Make them: dvc repro crop@{word}")
        cut_out, entry = CutOut(dataset.faces), dataset.entry
        about: dict[str, Any] = {
            "dataset": word,
            "about": entry.about,
            "licence": entry.licence or "unknown",
        }
        about |= {"synthetic": entry.synthetic} if entry.synthetic else {}
        return cut_out, about | {"pictures": len(cut_out), "sha256": sha256(index)}
    root = Path(word)
    if not root.is_dir():
        known = ", ".join(settings.datasets) if settings else "there is no params.yaml here"
        raise UserError(f"{word} is neither a folder of pictures nor a dataset ({known}).")
    paths = [
        (Path(below) / name).relative_to(root).as_posix()
        for below, _, names in walk(str(root), follow_links=False)
        for name in sorted(names)
        if name.lower().endswith(PICTURES)
    ]
    if not paths:
        raise UserError(
            f"{root} has no pictures, nor have the folders below it. Name a folder of faces, or a "
            "dataset whose faces stage crop has cut out."
        )
    listed = "".join(f"{path}\0{(root / path).stat().st_size}\n" for path in paths)
    digest = hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
    about = {"folder": root.name, "licence": "unknown", "pictures": len(paths), "sha256": digest}
    return Folder(root, paths), about


def _is_done(folder: Path, about: dict[str, Any]) -> bool:
    """Whether the folder has what this run would write.

    Raises:
        UserError: it has another run's files.
    """
    try:
        written = json.loads((folder / "config.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        written = {}
    if written and {name: written.get(name) for name in about} != about:
        raise UserError(
            f"{folder} has an encoder of other pictures or settings. Name another folder with "
            "--out, or remove it."
        )
    return bool(written) and (folder / "encoder.safetensors").exists()
