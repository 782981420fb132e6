"""The note that lies beside the clips."""

from facewave.demo import table


def text() -> str:
    """README.md of the dataset."""
    undecided = " and ".join(map(str, table.UNDECIDED))
    return f"""# Demo dataset: a synthetic face

These clips show nobody's emotion. One still portrait was warped by a program: the NASA portrait of
Eileen Collins (public domain), as scikit-image ships it (`skimage.data.astronaut`). The twelve
"subjects" are warped and recoloured versions of it, the expressions follow textbook prototypes
(EMFACS), and the ten votes of each clip are drawn at random. **A score on this dataset measures
that the machinery works. It says nothing about how well emotions are recognised**: how difficult
the clips are was chosen when they were made.

- `annotation.csv`: DFEW's columns, and the subject. Ten votes over seven emotions; `label` is the
  emotion's number (1 happy ... 7 fear), or 0 if none has more than five votes.
- `clips/<order>.mp4`: H.264, 224 x 224 px, 24, 25 or 30 frames a second, 1 to 2.4 s.
- Orders 1 to {table.GOOD}: {table.SUBJECTS} subjects, each with each emotion once, shuffled.

`python -m facewave.demo` makes the folder; the same program gives the same files. What the
landmarker saw of the clips is in `data/trajectories/demo/`. Licence of the clips and the table:
CC0 1.0 (public domain).

## Deliberate dirt

Real corpora have faults, so this one has some, to show that they are found and reported:

| where | what is wrong |
| --- | --- |
| orders {undecided} | label 0: no emotion has more than five votes |
| order {table.TIE} | a tie, five votes to five, and yet a label |
| order {table.CONTRADICTED} | label 1 (happy), but eight votes for sad |
| order {table.COPY} | its clip is a copy, byte for byte, of clip {table.COPIED} |
| order {table.REPEATED} | its row stands twice: the second is the table's last row |
| order {table.MISSING} | there is no such clip |
| order {table.NO_INDEX} | the file was cut off before its index: it cannot be opened |
| order {table.CUT_SHORT} | the file was cut off: it opens, but many of its frames are missing |
| order {table.NO_FACE} | no face: only the backdrop of the portrait, with a model of the shuttle |
| after order {table.EMPTY_AFTER} | an empty row: only commas |
"""
