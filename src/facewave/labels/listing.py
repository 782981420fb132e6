"""Stage list: ``python -m facewave.labels.listing DATASET`` -> data/listing/<dataset>.csv.

What DVC compares instead of hashing a corpus's whole folder: the clips by their names and sizes,
the label files and transcripts by their names and bytes; any other file counts for nothing. The
stage runs every time and must be quick: only the standard library and a YAML parser are imported.

A queued experiment runs in a copy of the project, to which DVC copies no corpus, and some machines
have the pulled results alone. There the listing that came with the project is kept.
"""

import fnmatch
import hashlib
import re
import sys
from glob import escape
from pathlib import Path
from typing import Any

from facewave import parsing
from facewave.errors import UserError, explain
from facewave.files import replacing, sha256
from facewave.labels.folders import walk
from facewave.pictures import PICTURES, TRACKS

VIDEOS = (
    ".3gp", ".asf", ".avi", ".f4v", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip
CLIPS = (*VIDEOS, *PICTURES, ".wav")
TRANSCRIPTS = (".vtt", ".srt", ".txt")  # where they lie beside a clip, under its name

# What each reader reads, below the root; * crosses folders. A dataset's `table` counts anyway.
LABEL_FILES = {
    "abaw_compound": (),
    "afew_va": ("*[0-9][0-9][0-9].json",),
    "aff_wild2": ("*_Set/*.txt",),
    "affectnet": ("*_set/annotations/*.npy", "Manually_Annotated_file_lists/*.csv"),
    "casia_webface": (),
    "celeba": ("*list_eval_partition.txt", "*identity_CelebA.txt"),
    "celebv_hq": ("celebvhq_info.json",),
    "crema_d": ("SentenceFilenames.csv", "*summaryTable.csv", "VideoDemographics.csv"),
    "dfew": ("*annotation.xlsx", "*annotation.csv", "EmoLabel_DataSplit/*.csv"),
    "fer2013": ("*fer2013.csv", "icml_face_data.csv", "fer2013new.csv"),
    "ferv39k": ("*_All.csv", "train.csv", "test.csv"),
    "imdb_wiki": ("*imdb.mat", "*wiki.mat"),
    "mafw": ("*_caption/set_*.txt", "*gender.txt"),
    "mead": (),
    "omg": ("omg_*.csv",),
    "raf_db": ("*list_patition_label.txt",),
    "ravdess": (),
    "sewa": ("*_AV_Aligned.csv", "labels/*.csv"),
    "table": (),
}
_COPIES = "/.dvc/tmp/exps/"  # where DVC runs queued experiments


def main(name: str) -> None:
    """List one dataset."""
    entry = _entry(name)
    root, path = Path(entry["root"]), Path("data/listing") / f"{name}.csv"
    if path.exists() and (_COPIES in f"{Path.cwd().as_posix()}/" or not root.is_dir()):
        print(f"{name}: {path} is kept as it came")
        return
    if not root.is_dir():
        raise UserError(
            f"{root} is no folder. Put the corpus there, or correct datasets.{name}.root in "
            "params.yaml."
        )
    suffixes = (*CLIPS, *TRACKS) if entry.get("tracks") else CLIPS
    content = listing(root, label_files(entry), suffixes, bool(entry.get("follow_links")))
    if not path.exists() or path.read_text("utf-8") != content:
        with replacing(path) as temporary:
            temporary.write_text(content, "utf-8")
    print(content, end="")


def _entry(name: str) -> dict[str, Any]:
    """The dataset's entry in params.yaml, which the next stage checks in full."""
    try:
        content = parsing.yaml(Path("params.yaml").read_text("utf-8"))
        entry = content["datasets"][name]
        return {**entry, "root": str(entry["root"]), "reader": str(entry["reader"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"params.yaml has no readable entry datasets.{name} with a reader and a root ({error})."
        ) from None


def label_files(entry: dict[str, Any]) -> tuple[str, ...]:
    """Patterns (fnmatch) of the label files and tables of features of an entry in params.yaml."""
    named = [str(one["table"]) for one in (entry, *entry.get("parts", [])) if one.get("table")]
    if entry.get("more"):
        named.append(str(entry["more"]))
    if features := entry.get("features"):
        table = str(features["table"])
        named += [table, str(Path(table).with_suffix(".txt"))]  # of .npy, the clips' names
    tables = [f"*{glob}" for name in named for glob in (escape(name), f"{escape(name)}/*")]
    if entry["reader"] == "union":  # its parts lie in folders of their own
        return (*tables, *(f"*/{glob}" for globs in LABEL_FILES.values() for glob in globs))
    return (*tables, *LABEL_FILES.get(entry["reader"], ()))


def listing(
    root: Path,
    patterns: tuple[str, ...],
    suffixes: tuple[str, ...] = CLIPS,
    follow_links: bool = False,
) -> str:
    """The listing of a folder: a header, and a row each of its label files and of its clips.

    Hidden files are passed over; ``patterns`` are of the label files, ``suffixes`` of the clips;
    links out of the folder are followed where ``follow_links`` says so.

    Returns:
        CSV with the columns kind, files, bytes and sha256: of label files the digest of all names
        and contents, of clips that of all names and sizes.
    """
    is_label = re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)").match
    digests = {kind: hashlib.sha256() for kind in ("labels", "clips")}
    sizes: dict[str, list[int]] = {kind: [] for kind in digests}
    for folder, folders, names in walk(str(root), follow_links):
        files = {name: Path(folder, name).stat().st_size for name in names}
        below = folder.removeprefix(str(root)).lstrip("/")
        prefix = f"{below}/" if below else ""
        clips = {
            name: size
            for name, size in files.items()
            if name.lower().endswith(suffixes)
            and not (name.lower().endswith(TRACKS) and is_label(prefix + name))
        }
        others = sorted(files.keys() - clips.keys())
        lines = {"clips": [f"{prefix}{name}\0{clips[name]}\n" for name in sorted(clips)]}
        stems = {*folders, *(name.rpartition(".")[0] for name in clips)} if others else {""}
        labels = [
            name
            for name in others
            if is_label(prefix + name)
            or (name.lower().endswith(TRANSCRIPTS) and name.rpartition(".")[0] in stems)
        ]
        lines["labels"] = [f"{prefix}{name}\0{sha256(Path(folder, name))}\n" for name in labels]
        sizes["clips"] += clips.values()
        sizes["labels"] += [files[name] for name in labels]
        for kind, some in lines.items():
            digests[kind].update("".join(some).encode("utf-8", "surrogateescape"))
    rows = [
        f"{kind},{len(sizes[kind])},{sum(sizes[kind])},{digest.hexdigest()}\n"
        for kind, digest in digests.items()
    ]
    return "kind,files,bytes,sha256\n" + "".join(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("facewave: name one dataset of params.yaml after the command: ... DATASET")
    explain(lambda: main(sys.argv[1]))
