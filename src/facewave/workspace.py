"""One handle for a dataset: where its files are, and its clips as models learn from them.

Nothing else builds paths below data/.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params, shards
from facewave.errors import UserError
from facewave.params import SOUNDS, Block, Params

if TYPE_CHECKING:
    from facewave.appearance.schema import Appearance
    from facewave.appearance.schema import Config as Encoder
    from facewave.faces.schema import Faces
    from facewave.landmarks.schema import Trajectory
    from facewave.pseudo.schema import Pseudo
    from facewave.targets import Target
    from facewave.video import Clip
    from facewave.voice.schema import Voice
    from facewave.wavelets.schema import Features

DATA = Path("data")
PSEUDO = DATA / "pseudo"  # of train.dataset
SHARED_ANSWERS = DATA / "shared_answers"  # other runs' (app/shared_answers.py)


class Dataset:
    """A dataset of params.yaml.

    Args:
        name: its key in ``datasets``.
        loaded: params.yaml.

    Raises:
        UserError: there is no such dataset.
    """

    def __init__(self, name: str, loaded: Params) -> None:
        self.name = name
        self.entry = params.dataset(loaded, name)
        self._asked, self._labels = loaded.train, loaded.labels
        self._is_taught = name == loaded.train.dataset and loaded.pseudo.track != "none"
        self.root = Path(self.entry.root)
        self.labels = DATA / "labels" / f"{name}.csv"
        self.folds = DATA / "labels" / f"{name}.folds.json"
        self.landmarks = DATA / "landmarks" / name
        self.faces = DATA / "faces" / name
        self.appearance = DATA / "appearance" / name
        self.voice = DATA / "voice" / name
        self.features = DATA / "features" / name
        self.tracks = DATA / "tracks" / name
        self.pack = pack(name)

    @property
    def title(self) -> str:
        """The name and what the entry says of the dataset, for titles of figures."""
        return f"{self.name} ({self.entry.about})"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the codes, () where there are only numbers to learn."""
        from facewave.labels import schema

        return schema.read_words(self.labels)

    @cached_property
    def targets(self) -> list["Target"]:
        """What models are asked of its clips: ``train.targets``.

        Raises:
            UserError: no clip has one of them.
        """
        from facewave import targets

        return targets.resolve(self._asked.targets, self.read_labels(), self.classes)

    @cached_property
    def pseudo(self) -> "Pseudo | None":
        """The pseudo-labels that teach (pseudo/schema.py), None where ``pseudo.track`` is none.

        Raises:
            UserError: they are missing or damaged.
        """
        from facewave.pseudo import schema

        return schema.read(PSEUDO) if self._is_taught else None

    def read_labels(self) -> pd.DataFrame:
        """The label table with all its rows (labels/schema.py)."""
        from facewave.labels import schema

        return schema.read(self.labels)

    def read_index(self) -> pd.DataFrame:
        """Where each clip's trajectory is, and its quality (landmarks/schema.py)."""
        from facewave.landmarks import schema

        return schema.read_index(self.landmarks)

    def read_features(self) -> "Features":
        """The wavelet numbers (wavelets/schema.py)."""
        from facewave.wavelets import schema

        return schema.read(self.features)

    def learnable(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of the label table that training or tests use, with their pseudo-labels.

        ``pseudo`` is a word, "" for none, ``pseudo_shares`` a JSON object, word -> probability, ""
        where nobody knows. In a partition they are for its training part alone.
        """
        from facewave.labels import schema as labels

        for name, column in (("pseudo", "word"), ("pseudo_shares", "shares")):
            of_clips = dict(self.pseudo.labels[column]) if self.pseudo else {}
            told = [of_clips.get(video_idx, "") for video_idx in table["video_idx"]]
            table = table.assign(**{name: told})
        soft, unlabelled = self._labels.ambiguous == "soft", self._asked.students > 0
        return labels.learnable(table, self.targets, soft, unlabelled)

    def clips(
        self, rows: pd.DataFrame | None = None, features: "Features | None" = None
    ) -> "Clips":
        """Rows of the label table with their features.

        Args:
            rows: of the label table; None: all that have one of ``targets`` or a pseudo-label,
                or, where there are students, can be learnt from without (``learnable``).
            features: None: they are read.
        """
        from facewave.labels import schema as labels
        from facewave.wavelets import schema as wavelets

        features = features or self.read_features()
        table = self.read_labels()
        pseudo = self.pseudo if rows is None else None
        rows = self.learnable(table) if rows is None else rows
        return Clips(
            wavelets.join(rows, features),
            features.blocks,
            self.root,
            self.entry.fps,
            self.landmarks,
            self.read_index().set_index("video_idx"),
            features.config,
            Stored(self.faces, "faces"),
            Stored(self.appearance, "appearance"),
            Stored(self.voice, "voice"),
            people_in(wavelets.join(table, features)),
            labels.folds_of(table),
            pseudo,
        )


def corpus_folder(name: str) -> Path:
    """Where a corpus is kept that the project itself fetches."""
    return DATA / "raw" / name


def pack(name: str) -> Path:
    """Where a dataset's shipped trajectories are, if it has any.

    A pack is a copy of a folder that stage extract wrote. It serves machines that cannot detect,
    and saves time on the others; being a cache, it is no dependency of the stage.
    """
    return DATA / "trajectories" / name


class Stored:
    """Where clips lie in a folder of shards, read when it is first needed.

    Args:
        folder: of the shards.
        room: whose shards they are: "faces", "appearance" or "voice".
        index: by video_idx (shards.INDEX); None: the folder's.
        config: how they were made; None: the folder's.
    """

    def __init__(
        self, folder: Path, room: str, index: pd.DataFrame | None = None, config: Any = None
    ) -> None:
        self.folder, self._room = folder, room
        self._last: dict[str, Any] = {}
        if index is not None:
            self.index, self.config = index, config

    @cached_property
    def index(self) -> pd.DataFrame:
        """Where each clip lies, by video_idx.

        Raises:
            UserError: there is none.
        """
        return self._schema.KIND.read_index(self.folder)

    @cached_property
    def config(self) -> Any:
        """How they were made, as the room's schema has it.

        Raises:
            UserError: its file is missing or damaged.
        """
        return self._schema.read_config(self.folder)

    def column(self, name: str, clips: pd.Series) -> list[Any]:
        """A column of the index for some clips, NaN for those it knows nothing of."""
        try:
            if name in self.index:  # it is not where the room has nothing of any clip
                return self.index[name].reindex(clips).tolist()
        except UserError:  # the room has not been there
            pass
        return [math.nan] * len(clips)

    def read(self, video_idx: str) -> Any:
        """What the room knows of a clip's row, None where it knows nothing."""
        if video_idx not in self.index.index:
            return None
        row: Any = self.index.loc[video_idx]
        if not row["shard"]:
            return None
        place = (self.folder / row["shard"], int(row["row_group"]), int(row["row_groups"]))
        if self._last.get("place") != place:  # rows may be parts of one long clip
            self._last.update(place=place, clip=self._schema.read_clip(*place))
        clip = self._last["clip"]
        times = clip.times_T if self._room == "voice" else clip.times_F
        return clip[shards.within(times, row["start"], row["end"])]

    @property
    def _schema(self) -> Any:
        return import_module(f"facewave.{self._room}.schema")


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips as models learn from them and answer them.

    Attributes:
        table: rows of a label table, with ``usable``, ``heard`` (nobody is where it is not there),
            ``face_share``, and ``at``, their position in ``blocks``; and ``pseudo`` and
            ``pseudo_shares`` (``Dataset.learnable``; nobody has any where they are not there).
        blocks: features of the whole dataset, name -> (n, N, ...) float32.
        root: the folder that ``file_path`` is relative to.
        fps: of clips that are folders of pictures.
        trajectories: the folder of their landmarks.
        index: where in it each clip lies, by video_idx (landmarks/schema.py).
        wavelets: how the features were made: their config.json (wavelets/schema.py).
        stored_faces: where their cut-out faces are.
        stored_appearance: where their appearance is.
        stored_voice: where what is heard of them is.
        people: where in ``blocks`` the usable and heard clips of each person are, whatever their
            labels; a clip's person is its ``subject``.
        folds: all of the dataset's, though these clips may be in some alone.
        pseudo: where the pseudo-labels in ``table`` are from; None: there are none, or whoever
            filled them in knows it.
    """

    table: pd.DataFrame
    blocks: Mapping[Block, NDArray[np.float32]]
    root: Path
    fps: float
    trajectories: Path
    index: pd.DataFrame
    wavelets: Mapping[str, Any]
    stored_faces: Stored | None = None
    stored_appearance: Stored | None = None
    stored_voice: Stored | None = None
    people: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    folds: tuple[int, ...] = ()
    pseudo: "Pseudo | None" = None
    _last: dict[str, Any] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.table)

    def select(self, rows: Sequence[int] | NDArray[Any] | pd.Series) -> "Clips":
        """Some of the clips, by a mask or by their positions."""
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        return replace(self, table=self.table.iloc[chosen.astype(int)])

    def parts(self, partition: str | int) -> pd.Series:
        """The part of each clip in a partition (``labels.schema.parts``)."""
        from facewave.labels import schema

        return schema.parts(self.table, partition, self.folds)

    def judged_from(self, inputs: Sequence[Block]) -> NDArray[np.str_]:
        """What a model with these inputs judges each clip by, (n,).

        "face", which is usable; "voice", which is heard; "face and voice"; or where a clip has
        nothing of what the model takes, "prior". A model without inputs looks at the face.
        """
        apart, none_n = params.apart(inputs), np.zeros(len(self), bool)
        takes_voice, takes_face = bool(apart["voice"]), bool(apart["face"] or not inputs)
        seen_n = self.table["usable"].to_numpy(bool) if takes_face else none_n
        heard_n = self.table.get("heard", pd.Series(none_n)).to_numpy(bool) & takes_voice
        chosen = [seen_n & heard_n, seen_n, heard_n]
        return np.select(chosen, ["face and voice", "face", "voice"], "prior")

    def known_by(self, inputs: Sequence[Block]) -> NDArray[np.bool_]:
        """Which clips a model with these inputs can judge, (n,): by either, if it takes both."""
        return self.judged_from(inputs) != "prior"

    def quality(self, inputs: Sequence[Block]) -> NDArray[np.float32]:
        """How much each clip counts for a model with these inputs, (n,).

        It is the share of its frames with the face; what is heard alone counts as a whole.
        """
        is_heard_alone_n = self.judged_from(inputs) == "voice"
        return np.where(is_heard_alone_n, 1, self.table["face_share"]).astype(np.float32)

    def inputs(self, names: Sequence[Block]) -> NDArray[np.float32]:
        """The chosen blocks side by side, (n, N, D); NaN in what a clip lacks.

        Raises:
            UserError: the features lack one: the dataset has no such signals or no sound, no
                encoder has looked at the faces or listened, or it has no such answers.
        """
        if lacking := [name for name in names if name not in self.blocks]:
            encoder = ", or set {}.encoder to one that gives it and run dvc repro -f {}"
            match lacking[0]:
                case "expression" | "appearance":
                    advice = encoder.format("appearance", "embed")
                case "speech" if "mel" in self.blocks:
                    advice = encoder.format("voice", "listen")
                case name if name in SOUNDS:
                    advice = "; metrics/listen tells why there is no sound"
                case _:
                    advice = ""
            raise UserError(
                f"params.yaml: train.inputs names {lacking[0]}, which the features do not have; "
                f"they have {', '.join(self.blocks)}. Name some of these"
                f"{advice}."
            )
        return self.inputs_at(self.table["at"].to_numpy(), names)

    def inputs_at(self, at: NDArray[np.int64], names: Sequence[Block]) -> NDArray[np.float32]:
        """The chosen blocks side by side at some positions, whether they are clips of these."""
        return side_by_side([self.blocks[name][at] for name in names])

    def widths(self, names: Sequence[Block]) -> tuple[int, ...]:
        """The channels of each chosen block; their sum is D."""
        return tuple(prod(self.blocks[name].shape[2:]) for name in names)

    def origins(self) -> pd.DataFrame:
        """What the clips' trajectories and pictures follow from: keys in the caches, and the part.

        One row per clip, with the columns key, start and end (of the landmarks' index), faces,
        appearance and voice.
        """
        names = self.table["video_idx"]
        table = self.index.loc[names, ["key", "start", "end"]]
        stored = {
            "faces": self.stored_faces,
            "appearance": self.stored_appearance,
            "voice": self.stored_voice,
        }
        return table.assign(
            **{name: kept.column("key", names) for name, kept in stored.items() if kept}
        )

    def trajectory(self, video_idx: str) -> "Trajectory | None":
        """A clip's trajectory, None where nothing was detected."""
        from facewave.landmarks import schema

        row: Any = self.index.loc[video_idx]
        if pd.isna(row["row_group"]):
            return None
        place = (self.trajectories / row["shard"], int(row["row_group"]), int(row["row_groups"]))
        if self._last.get("place") != place:  # rows may be parts of one long clip
            self._last.update(place=place, clip=schema.read_clip(*place))
        return schema.between(self._last["clip"], row["start"], row["end"])

    def faces(self, video_idx: str) -> "Faces | None":
        """A clip's cut-out faces, None where there are none."""
        return self.stored_faces.read(video_idx) if self.stored_faces else None

    def appearance(self, video_idx: str) -> "Appearance | None":
        """What an encoder saw of a clip, None where it saw nothing."""
        return self.stored_appearance.read(video_idx) if self.stored_appearance else None

    def voice(self, video_idx: str) -> "Voice | None":
        """What is heard in a clip, None where there is no sound."""
        return self.stored_voice.read(video_idx) if self.stored_voice else None

    def encoder(self) -> "Encoder":
        """What looked at the clips' faces.

        Raises:
            UserError: stage embed has not run.
        """
        from facewave.appearance.schema import Config

        return self.stored_appearance.config if self.stored_appearance else Config("none")

    def video(self, file_path: str) -> "Clip":
        """A clip's pictures."""
        from facewave.video import Clip

        return Clip(self.root / file_path, self.fps)


def people_in(table: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Where the usable and heard clips of each person are: subject -> ``at``, of labelled rows."""
    is_known = table["usable"] | table.get("heard", False)
    known = table[is_known & (table["subject"] != "")]
    places = known.groupby("subject")["at"]
    return {str(name): np.unique(rows.to_numpy(np.int64)) for name, rows in places}


def side_by_side(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Blocks of features, each (n, N, ...), as one array (n, N, D)."""
    flat = [block.reshape(*block.shape[:2], prod(block.shape[2:])) for block in blocks]
    return np.concatenate(flat, axis=2)
