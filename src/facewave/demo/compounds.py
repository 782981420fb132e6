"""Makes a synthetic set of compound expressions: ``python -m facewave.demo.compounds FOLDER``.

Reads   the landmarker's file (see assets.py)
Writes  FOLDER/pictures/   stills, in the layout of RAF-DB's compound half
        FOLDER/film/       frames of other people, in the layout of C-EXPR-DB; truth.txt beside the
                           videos is the challenge's file of codes, for who hides it and finds out,
                           answers.csv what somebody might say of the frames, partly wrong
        FOLDER/labelled/   frames of still other people, with labels.txt, the same kind of file
        FOLDER/README.md   who is where
The people are the demo's. A compound has the upper face of one emotion and the lower face of the
other, so that a face never shows a whole basic emotion; most people's actions in Du, Tao and
Martinez (PNAS 111, 2014, E1454) divide between the regions in this way, too. Stills are greyer and
darker than films, lit from one side and sharper: who learns from the stills finds another look in
the films. The same seed gives the same bytes.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from facewave import assets
from facewave.demo import faces
from facewave.demo.clips import PROTOTYPES, Plan, Prototypes, film
from facewave.demo.faces import Face, Floats, Picture
from facewave.errors import UserError, explain
from facewave.files import replacing

# Word, in the challenge's order -> the emotion of the upper face, that of the lower face.
REGIONS = {
    "Fearfully_Surprised": ("surprise", "fear"),
    "Happily_Surprised": ("surprise", "happy"),
    "Sadly_Surprised": ("sad", "surprise"),
    "Disgustedly_Surprised": ("surprise", "disgust"),
    "Angrily_Surprised": ("angry", "surprise"),
    "Sadly_Fearful": ("sad", "fear"),
    "Sadly_Angry": ("angry", "sad"),
}
RAF_CODES = (8, 1, 5, 11, 9, 3, 4)  # of the same words in RAF-DB's list, from 1
_UPPER = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7")
SIDE = 160  # px, width and height of a picture: what a film shows around the face, of some 112 px
_LEFT, _TOP = 32, 38  # px
STILLS = 15  # of each person and compound
VIDEOS = 3  # of each person, in each of which all compounds follow each other
FPS = 5  # frames a second of a video
_MOMENTS = np.arange(8) / FPS  # s, of an expression from its onset to its end
_SHOWN = slice(2, 7)  # the frames in which it is strong
_APEX = np.array([0.0, 0.8, 1.4])  # s, around that of a still
_WEAKEST = 0.7
_QUALITY = 85  # of the JPEG files


def compounds() -> Prototypes:
    """The action units of each compound."""
    return {
        word: {
            unit: strength
            for emotion, is_upper in ((upper, True), (lower, False))
            for unit, strength in PROTOTYPES[emotion].items()
            if (unit in _UPPER) == is_upper
        }
        for word, (upper, lower) in REGIONS.items()
    }


def parts(people: int) -> dict[str, range]:
    """Who is where: a third in each part, what is left over in the last ones."""
    first, second = people // 3, people * 2 // 3
    return {"pictures": range(first), "film": range(first, second),
            "labelled": range(second, people)}  # fmt: skip


def main(out: Path, people: int, seed: int, wrong: float) -> None:
    """Write the whole set; ``wrong`` is the share of wrong answers in film/answers.csv.

    Raises:
        UserError: there are too few people for three parts, the share is none, or something is in
            the folder.
    """
    if people < 3:
        raise UserError(f"--people is {people}, but each of the three parts needs someone: 3.")
    if not 0 <= wrong <= 1:
        raise UserError(f"--wrong is {wrong:g}, but should be a share, from 0 to 1.")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty. Name another folder, or empty this one.")
    cast = faces.people(assets.get(assets.LANDMARKER), seed, range(people))
    which = parts(people)
    _write_pictures(out / "pictures", [cast[person] for person in which["pictures"]], seed)
    for name, table in (("film", "truth.txt"), ("labelled", "labels.txt")):
        shown = _write_videos(out / name, {person: cast[person] for person in which[name]}, seed)
        header = ",".join(("image_location", *REGIONS)) + "\n"
        lines = [f"{picture},{code}\n" for picture, code in shown.items()]
        _write_text(out / name / table, "".join([header, *lines]))
        if name == "film":
            _write_text(out / name / "answers.csv", _answers(shown, seed, wrong))
    _write_text(out / "README.md", _readme(which, seed, wrong))


def _write_pictures(out: Path, cast: Sequence[Face], seed: int) -> None:
    """Stills, ``Image/aligned/train_00001_aligned.jpg``, and the list of their codes.

    Those of the last of several people are the test part.
    """
    shown = [(person, word, number) for person in range(len(cast)) for word in REGIONS
             for number in range(STILLS)]  # fmt: skip
    order = np.random.default_rng([seed, 2]).permutation(len(shown))
    lines = []
    for number_of_all, at in enumerate(tqdm(order, desc=f"draw {out}", unit="picture"), 1):
        person, word, number = shown[at]
        code = list(REGIONS).index(word)
        of_still = [seed, 3, person, code, number]
        plan = _plan(word, person, of_still)
        (frame,) = _frames(plan, cast[person], _APEX, slice(1, 2))
        part = "test" if 0 < person == len(cast) - 1 else "train"
        name = f"{part}_{number_of_all:05}"
        _write_picture(out / f"Image/aligned/{name}_aligned.jpg", _still(frame, [*of_still, 6]))
        lines.append(f"{name}.jpg {RAF_CODES[code]}\n")
    _write_text(out / "EmoLabel/list_patition_label.txt", "".join(lines))


def _write_videos(out: Path, cast: Mapping[int, Face], seed: int) -> dict[str, int]:
    """Videos, a folder of frames each; the code of each frame, as the challenge numbers them."""
    codes = {}
    videos = [(person, video) for person in cast for video in range(VIDEOS)]
    for person, video in tqdm(videos, desc=f"film {out}", unit="video"):
        name, frame = f"{person * VIDEOS + video + 1:02}", 0
        order = np.random.default_rng([seed, 4, person, video]).permutation(len(REGIONS))
        for code in order.tolist():
            plan = _plan(list(REGIONS)[code], person, [seed, 5, person, video, code])
            for picture in _frames(plan, cast[person], _MOMENTS, _SHOWN):
                frame += 1
                _write_picture(out / name / f"{frame:05}.jpg", picture)
                codes[f"{name}/{frame:05}.jpg"] = code
    return codes


def _answers(codes: Mapping[str, int], seed: int, wrong: float) -> str:
    """A table of answers to frames, so many of which are wrong, to the nearest one."""
    rng = np.random.default_rng([seed, 6])
    is_wrong = rng.permutation(len(codes)) < round(wrong * len(codes))
    further = is_wrong * rng.integers(1, len(REGIONS), len(codes))
    words = list(REGIONS)
    lines = [f"{picture},{words[(code + more) % len(words)]}\n"
             for (picture, code), more in zip(codes.items(), further, strict=True)]  # fmt: skip
    return "".join(["image_location,predicted\n", *lines])


def _plan(word: str, person: int, seed: Sequence[int]) -> Plan:
    intensity = np.random.default_rng([*seed, 1]).uniform(_WEAKEST, 1)
    return Plan(0, person, {word: 1.0}, intensity, np.random.SeedSequence(seed), compounds())


def _frames(plan: Plan, face: Face, times: Floats, shown: slice) -> Iterator[Picture]:
    """Some frames of a face that acts, (SIDE, SIDE, 3)."""
    _, frames = film(plan, face, times)
    for frame in islice(frames, shown.start, shown.stop):
        yield frame[_TOP : _TOP + SIDE, _LEFT : _LEFT + SIDE]


def _still(picture: Picture, seed: Sequence[int]) -> Picture:
    """The look of the stills: greyer, darker, lit from one side, and sharper."""
    rng = np.random.default_rng(seed)
    grey = picture.mean(axis=2, keepdims=True)
    colour = grey + rng.uniform(0.0, 0.3) * (picture - grey)
    across = np.linspace(-1, 1, SIDE)[None, :, None]
    light = 0.8 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.35) * across
    lit = 255 * (np.clip(colour * light, 0, 255) / 255) ** rng.uniform(1.1, 1.6)
    sharp = lit + 0.6 * (lit - cv2.GaussianBlur(lit, (0, 0), 2))
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)


def _write_picture(path: Path, picture: Picture) -> None:
    _, content = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def _readme(which: Mapping[str, range], seed: int, wrong: float) -> str:
    who = {name: ", ".join(str(person + 1) for person in people) for name, people in which.items()}
    regions = "".join(
        f"| {word} | {upper} | {lower} |\n" for word, (upper, lower) in REGIONS.items()
    )
    return f"""# Compound expressions of a synthetic face

These pictures show nobody's emotion: a program warped one portrait (see the demo's README), and a
score on them measures that the machinery works, nothing about people. No person is in two parts.

- `pictures/`: people {who["pictures"]}; stills in RAF-DB's layout, {STILLS} of each person and
  compound. The last person's are its test part.
- `film/`: people {who["film"]}; videos in C-EXPR-DB's layout, {VIDEOS} of each person, {FPS} frames
  a second. `truth.txt` has their codes, which stay hidden unless an entry names it;
  `answers.csv` is what somebody might say of them, {100 * wrong:g} % of it wrong.
- `labelled/`: people {who["labelled"]}; the same of others, to be tested on. `labels.txt` has their
  codes.

| compound | upper face | lower face |
| --- | --- | --- |
{regions}
A video has five frames of each compound, one compound after the other. Stills are greyer, darker
and sharper than films and lit from one side. Made with seed {seed}; the same program and seed give
the same files. Licence: CC0 1.0 (public domain).
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="facewave.demo.compounds", description="Make synthetic compound expressions."
    )
    parser.add_argument("folder", type=Path, help="a folder that is empty or not there")
    parser.add_argument("--people", type=int, default=12, help="at least 3 (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    told = "share of wrong answers in film/answers.csv (default %(default)s)"
    parser.add_argument("--wrong", type=float, default=0.2, help=told)
    asked = parser.parse_args()
    explain(lambda: main(asked.folder, asked.people, asked.seed, asked.wrong))
