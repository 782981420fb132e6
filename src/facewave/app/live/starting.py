"""Puts a source, a model, a screen and a file together, and watches."""

import sys
from pathlib import Path
from typing import Any

from facewave import __version__, assets, params
from facewave.app.live import keys, screens, watching
from facewave.app.live.answering import Asker, check
from facewave.app.live.clock import Clock
from facewave.app.live.memory import Eyes, Memory
from facewave.app.live.newest import Newest
from facewave.app.live.sources import source
from facewave.app.live.watching import Options, Watch
from facewave.app.live.writing import SUFFIXES, Writing, default_name
from facewave.app.models import choose
from facewave.app.notice import NOTICE
from facewave.appearance import encoders
from facewave.errors import UserError, native_log_off
from facewave.landmarks import engines
from facewave.training import cards
from facewave.training.schema import Trained

_UNKNOWN_PERSON = (
    "no other clip of the person is known, so the people of the training clips stand in"
)


def start(named: str, model_name: str | None, options: Options, headless: bool) -> None:
    """Watch a source until it ends, and tell how fast that was.

    Args:
        named: the source (``sources.source``).
        model_name: see ``models.choose``.
        options: how it is watched.
        headless: whether records go to stdout though it is a terminal.

    Raises:
        UserError: the source, the model or an option cannot be had.
    """
    watching.check(options)
    if options.out and options.out.suffix not in SUFFIXES:
        raise UserError(f"--out is {options.out}; name a .jsonl or .csv file.")
    if options.save_video and not options.out and not sys.stdin.isatty():
        raise UserError(
            "--save-video keeps frames while answers are written: name --out FILE, too."
        )
    watched, model = source(named), choose(model_name)
    check(model)
    settings = params.for_clips()
    encoder = encoders.load(model.encoder) if model.encoder else None
    landmarker_file = assets.get(assets.LANDMARKER)
    for sentence in notices(model):
        print(sentence, file=sys.stderr)
    header: dict[str, Any] = {
        "facewave": __version__,
        "source": watched.label,
        "model": model.line(),
        "calibrated": model.calibrated,
        "synthetic": bool(model.about.get("synthetic")),
        "window": options.window,
        "hop": options.hop,
        "smooth": options.smooth,
        "notice": NOTICE,
    }
    clock, eyes = Clock(), Eyes(settings.faces, encoder)
    memory = Memory(options.window, settings.landmarks.whose, eyes)
    asker = Asker(model, encoder, settings, options.window)
    screen = screens.choose(headless, model.calibrated)
    screen.tell(header)

    def open_file(path: Path | None) -> Writing:
        return Writing(path or default_name(), model, header, options.save_video)

    with native_log_off():  # all is loaded before the first picture comes
        following = engines.landmarker(
            settings.landmarks.engine, landmarker_file.read_bytes(), settings.landmarks.smooth
        )
        eyes.open()
        asker.warm()
    with (
        keys.of_terminal() as pressed,
        following as landmarker,
        Newest(watched, clock) as feed,
        screen,
    ):
        watch = Watch(feed, landmarker, memory, asker, screen, pressed, options, clock, open_file)
        counts = watch.run()
    screen.tell({"summary": counts.summary()})
    print(counts.text(), file=sys.stderr)


def notices(model: Trained) -> list[str]:
    """What people must know of a model and of its use."""
    sentences = [f"model: {model.line()}"]
    if model.about.get("synthetic"):
        sentences.append(f"beware: {cards.SYNTHETIC}")
    if model.normalizes:
        sentences.append(_UNKNOWN_PERSON)
    return [*sentences, NOTICE]
