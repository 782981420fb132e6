"""A language model on a server, asked as it comes: which it is and how it is prompted.

Nothing of it is stored but its name, and nothing is learnt; it may be shown answered clips before
the question. What it answers is kept in the user's cache (prompts/served.py).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from safetensors.numpy import save_file

from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.params import Language
from facewave.prompts import served
from facewave.prompts.examples import PromptClips
from facewave.prompts.protocol import Identity
from facewave.prompts.reading import read_leniently
from facewave.prompts.server import Server
from facewave.prompts.templates import question
from facewave.targets import CLASSES, Target
from facewave.training import cards
from facewave.training.prompted import Prompted


class Served(Prompted):
    """A served language model and how it is prompted.

    Args (others as in ``Trained``):
        identity: of the model, as the server told it.
        classes: the corpus's words.
        settings: the prompt, the frames, the way of answering, and where the server is.
        shots: the clips that are shown as examples, by video_idx.
        about: see ``Trained``; also ``learnt`` and ``validated``, as of language models: the clips
            that are shown as examples, and none.
    """

    type = "served"
    kind = "served"

    def __init__(
        self,
        identity: Identity,
        classes: Sequence[str],
        settings: Language,
        wavelets: dict[str, Any],
        shots: Sequence[str],
        about: dict[str, Any],
    ) -> None:
        self.identity = identity
        self.targets = (Target(CLASSES, "words", tuple(classes)),)
        self.inputs, self.wavelets, self.about = (), wavelets, about
        self._prompt(settings, shots)
        self.writes = settings.answers == "generation"

    def answer_prompted(self, prompted: PromptClips) -> pd.DataFrame:
        """Answers from frames, transcripts and facts.

        Without log probabilities the word that is written has probability 1. Of a clip without an
        answer, or with one that is none of the words, "" is predicted, and every class is as
        probable.

        Raises:
            UserError: clips would go to another machine without permission; the server cannot be
                reached, has another model by now, or has no answer to any clip.
        """
        settings, examples = self.settings, self._examples(prompted)
        extras = served.ways(self.classes, constrained=not self.writes)
        replies, usage = served.replies(
            (examples[row] for row in range(len(examples))),
            len(examples),
            self.identity,
            lambda: self._server,
            extras,
            settings.server.parallel,
        )
        self.usage = asdict(usage)
        shares_nC = np.stack([served.probabilities(reply, self.classes) for reply in replies])
        lenient = None
        if self.writes:
            lenient = [
                read_leniently(reply.text, self.classes) if reply else "" for reply in replies
            ]
        return self._by_shares(prompted.clips, shares_nC, lenient)

    @cached_property
    def _server(self) -> Server:
        """The server, which still has the model.

        Raises:
            UserError: it has another.
        """
        server = Server(replace(self.settings.server, model=self.identity.id))
        if server.identity != self.identity:
            raise UserError(
                f"{server.address} has other weights as {self.identity.id} than when the model was "
                "made. Make it again: dvc repro -f train"
            )
        return server

    def line(self) -> str:
        """The same as of other models, with the name that the server knows it by."""
        return cards.line(f"{self.kind}: {self.identity.id}", self.about)

    def describe(self) -> dict[str, Any]:
        """How it is prompted, as of a language model; its parameters are not known (0)."""
        settings = self.settings
        transcript = "" if settings.transcript == "none" else "..."
        told = ["..."] * 3
        return {
            "kind": self.kind,
            "weights": self.identity.id,
            "revision": self.identity.root or "",
            "mode": settings.mode,
            "parameters": 0,
            "trained": 0,
            "inputs": [],
            "prompt": question(settings.prompt, self.classes, (), transcript, 0, *told),
            "adapter": None,
            "face_tokens": 0,
            "lora": None,
            "prefix": 0,
            "projector": False,
            "quantized": False,
            "settings": asdict(settings),
        }

    def save(self, path: Path) -> None:
        """Write the model's name and its prompt, beside no weights."""
        with replacing(path / "model.safetensors") as temporary:
            save_file({}, temporary)
        config = {
            "type": self.type,
            "identity": asdict(self.identity),
            "classes": list(self.classes),
            "settings": asdict(self.settings),
            "wavelets": self.wavelets,
            "shots": list(self.shots),
            "about": self.about,
        }
        write_json(path / "config.json", config)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Served":
        """Rebuild it; the server is not asked."""
        identity = TypeAdapter(Identity).validate_python(config["identity"])
        settings = TypeAdapter(Language).validate_json(json.dumps(config["settings"]))
        rest = (config[name] for name in ("wavelets", "shots", "about"))
        return cls(identity, config["classes"], settings, *rest)


TRAINED = Served
