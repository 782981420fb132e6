"""The video of everybody's faces: who is drawn where and when, in one colour each."""

from pathlib import Path

import numpy as np
import pytest

from facewave.app import canvas
from facewave.app.timeline import overlay
from facewave.app.timeline.overlay import color, write_video
from facewave.video import Clip
from making import write_video as write_clip
from making_timeline import recording, timeline


def near(picture: np.ndarray, person: int) -> np.ndarray:
    """Which pixels have a person's colour."""
    return np.abs(picture.astype(int) - color(person)).sum(axis=2) < 60


@pytest.mark.slow
def test_each_person_has_a_box_a_label_and_a_bar_while_in_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "a.mp4", 24)  # 30 frames a second; the recording has one a second
    monkeypatch.setattr(
        overlay, "_from_first", lambda frames: ((float(f.number), f) for f in frames)
    )
    monkeypatch.setattr(overlay, "_AT_ONCE", 5.0)
    asked: list[tuple[int, float]] = []
    made = recording(tmp_path / "a.mp4", fps=1.0)
    whole = type(made).trajectory

    def noted(self: object, person: int, start: float, end: float) -> object:
        asked.append((person, end - start))
        return whole(made, person, start, end)

    monkeypatch.setattr(type(made), "trajectory", noted)
    out = tmp_path / f"seen{canvas.suffix()}"
    write_video(timeline(made), out)
    drawn = [frame.picture for frame in Clip(out, 25).frames() if frame.picture is not None]
    assert len(drawn) == 24
    assert max(length for _, length in asked) < 5.1  # never all of it
    assert (1, 5.0) not in [(who, round(length, 2)) for who, length in asked[:1]]
    height = 480
    seen = {
        person: [bool(near(picture[:height], person).sum() > 300) for picture in drawn]
        for person in (0, 1)
    }
    assert seen[0] == [not 12 <= t < 15 for t in range(24)]
    assert seen[1] == [6 <= t < 20 for t in range(24)]
    rows, columns = np.nonzero(near(drawn[3][:height], 0))
    width = drawn[3].shape[1]
    assert columns.min() == pytest.approx(0.2 * width, abs=4)
    assert columns.max() == pytest.approx(0.4 * width, abs=4)
    assert rows.max() == pytest.approx(0.6 * height, abs=4)
    bar = near(drawn[0][height:], 1).any(axis=0)
    assert np.flatnonzero(bar).min() == pytest.approx(14 + 0.25 * (width - 28), abs=3)
