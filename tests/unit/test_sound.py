"""Sound of clips: on the clip's own clock, whatever the container does to it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facewave import sound
from facewave.sound import NO_SOUND, Sound, read
from facewave.video import Clip
from sounding import RATE, Floats, click, noise, tone, write_sound


def test_a_part_is_cut_to_the_sample_from_the_first_picture_on(tmp_path: Path) -> None:
    sound, first, inf = noise(3), 0.064, math.inf
    clip = write_sound(tmp_path / "a.mkv", sound)
    for start, end in (
        *((0, inf), (0, 3), (0.5, 1.25), (1.0, 1.0001), (2.5, 9), (first, 2 * first), (2.999, inf)),
        *((3.5, 4.0), (1.0, 1.0), (9.0, inf)),  # where nothing is
    ):
        found = read(clip, RATE, start, end)
        last = None if math.isinf(end) else round(end * RATE)
        np.testing.assert_allclose(found, sound[round(start * RATE) : last], atol=1e-4)
        assert found.dtype == np.float32
    sound = noise(2)
    late = write_sound(tmp_path / "a.mkv", sound, sound_from=0.5)
    early = write_sound(tmp_path / "b.mkv", sound, pictures_from=0.4)
    for clip, start, expected in (
        (late, 1.0, sound[RATE // 2 :][:RATE]),
        (late, 0.0, np.concatenate([np.zeros(RATE // 2), sound[: RATE // 2]])),
        (early, 0.0, sound[round(0.4 * RATE) :][:RATE]),
    ):
        found = read(clip, RATE, start, start + 1)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def pitch(sound: Floats) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()])


def test_sound_at_any_rate_and_from_any_container(tmp_path: Path) -> None:
    t = np.arange(2 * 44_100) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    sound = np.stack([left, np.zeros_like(left)]).astype(np.float32)
    clip = write_sound(tmp_path / "a.mp4", sound, rate=44_100, codec="aac")
    heard = read(clip, RATE)
    assert len(heard) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert pitch(heard) == pytest.approx(440, abs=2)
    assert 0.05 < np.abs(heard[RATE // 2 : RATE]).max() < 0.5
    assert len(read(clip, RATE, 0.5, 1.5)) == RATE
    t = np.arange(2 * RATE) / RATE
    chirp = (0.3 * np.sin(2 * np.pi * (300 * t + 200 * t**2))).astype(np.float32)  # 300 + 400 t Hz
    clip = write_sound(tmp_path / "a.ts", chirp, codec="mp2", pictures_from=9.0, sound_from=9.0)
    with av.open(str(clip)) as container:
        assert container.start_time > 1e6  # microseconds
    assert pitch(read(clip, RATE, 0.95, 1.05)) == pytest.approx(700, abs=30)


def test_a_playlist_or_damaged_file_gives_what_is_its_own(tmp_path: Path) -> None:
    sound = noise(3)
    clip = write_sound(tmp_path / "a.mkv", sound)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    heard = read(clip, RATE)
    assert 0.2 * len(sound) < len(heard) < 0.8 * len(sound)
    np.testing.assert_allclose(heard, sound[: len(heard)], atol=1e-4)
    clip = write_sound(tmp_path / "a.mp4", noise(3), codec="aac")
    whole = len(read(clip, RATE))
    with av.open(str(clip)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        at, size = packets[len(packets) // 2].pos, packets[len(packets) // 2].size
    content = bytearray(clip.read_bytes())
    content[at : at + size] = b"\xff" * size
    clip.write_bytes(content)
    assert 0.9 * whole < len(read(clip, RATE)) <= whole
    write_sound(tmp_path / "secret.ts", noise(1), codec="mp2")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"
    for playlist in (hls, "ffconcat version 1.0\nfile secret.ts\n"):
        clip.write_text(playlist)
        assert len(read(clip, RATE)) == 0


UNEVEN = [*(i / 24 for i in range(24)), *(1 + i / 10 for i in range(10))]  # 24, then 10 a second


def test_a_clap_is_heard_when_it_is_seen(tmp_path: Path) -> None:
    cases: list[dict[str, Any]] = [
        {"codec": "pcm_s16le", "suffix": "mkv"},
        {"codec": "aac", "suffix": "mp4"},  # it begins with priming, which an edit list hides
        {"codec": "aac", "suffix": "mp4", "times": UNEVEN},
        {"codec": "aac", "suffix": "mp4", "rate": 44_100, "pictures_from": 0.4},
        {"codec": "aac", "suffix": "mp4", "sound_from": 0.3},
        {"codec": "aac", "suffix": "mkv", "times": UNEVEN, "sound_from": 0.25},
        {"codec": "mp2", "suffix": "ts", "pictures_from": 9.0, "sound_from": 9.0},
        {"codec": "libmp3lame", "suffix": "avi", "rate": 44_100},
    ]
    for number, options in enumerate(cases):
        suffix, flash = options.pop("suffix"), 20
        times = options.get("times") or [i / 25 for i in range(50)]
        ahead = options.get("sound_from", 0.0) - options.get("pictures_from", 0.0)
        heard = click(times[flash] - ahead, 2.5)
        if (rate := options.get("rate", RATE)) != RATE:
            at = np.arange(round(len(heard) * rate / RATE)) * RATE / rate
            heard = np.interp(at, np.arange(len(heard)), heard).astype(np.float32)
        clip = write_sound(
            tmp_path / f"{number}.{suffix}", heard, flash=flash, **(options | {"times": times})
        )
        frames = [
            (f.time, np.mean(f.picture)) for f in Clip(clip, 25).frames() if f.picture is not None
        ]
        seen = max(frames, key=lambda frame: frame[1])[0] - frames[0][0]
        loudest = np.convolve(read(clip, RATE) ** 2, np.ones(160), "same").argmax() / RATE
        assert abs(loudest - 0.0025 - seen) < 0.01, (number, loudest, seen)


def test_gaps_are_kept_and_overlaps_heard_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, decoded, first = noise(3), sound._decoded, 20 * 1024
    clip = write_sound(tmp_path / "a.mkv", whole)
    after = whole[first:]
    for shift, expected in (
        (0.5, np.concatenate([whole[:first], np.full(RATE // 2, np.nan), after])),
        (-0.2, np.concatenate([whole[:first], after[RATE // 5 :]])),
        (0.004, whole),  # rounding
        (1e6, whole),  # nonsense
    ):

        def shifted(*source: Any, shift: float = shift) -> Iterator[av.AudioFrame]:
            for number, frame in enumerate(decoded(*source)):
                frame.pts += round(shift / frame.time_base) if number >= 20 else 0
                yield frame

        monkeypatch.setattr(sound, "_decoded", shifted)
        heard = np.concatenate(list(Sound(clip).pieces()))
        assert np.isnan(heard).sum() == np.isnan(expected).sum()
        np.testing.assert_allclose(heard, expected, atol=1e-4)
        np.testing.assert_array_equal(read(clip, RATE), np.nan_to_num(heard))


def test_of_several_tracks_the_default_is_heard_and_channels_are_averaged(tmp_path: Path) -> None:
    low, high = tone(200, 2), tone(400, 2)
    for default, expected in ((0, low), (1, high)):
        clip = write_sound(tmp_path / f"{default}.mkv", low, high, default=default)
        np.testing.assert_allclose(read(clip, RATE), expected, atol=1e-4)
    both = write_sound(tmp_path / "stereo.mkv", np.stack([low, high]))
    np.testing.assert_allclose(read(both, RATE), (low + high) / 2, atol=1e-4)


def test_sound_alone_and_none_at_all(tmp_path: Path) -> None:
    whole = noise(1)
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(whole[None], "fltp", "mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    np.testing.assert_allclose(read(tmp_path / "a.wav", RATE), whole, atol=1e-4)
    silent = write_sound(tmp_path / "b.mp4", None)
    assert Sound(silent).problem == NO_SOUND
    assert list(Sound(silent).pieces()) == []
    assert Sound(tmp_path).problem == NO_SOUND  # a folder of pictures
    (tmp_path / "c.mp4").write_bytes(b"no video" * 100)
    assert Sound(tmp_path / "c.mp4").problem.startswith("not a video")
    damaged = write_sound(tmp_path / "d.mkv", whole, codec="flac")
    content = damaged.read_bytes()
    with av.open(str(damaged)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    for at, size in places:
        content = content[: at + 8] + bytes(size - 8) + content[at + size :]
    damaged.write_bytes(content)
    assert Sound(damaged).problem == "its sound cannot be decoded (flac)"
