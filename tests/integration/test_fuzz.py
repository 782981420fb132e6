"""Damaged input of every kind: a result or one short reason each, within limits of time and memory.

``make fuzz`` tries more of it; an input that found a fault stays in ``KEPT``, by its number.
"""

import os

import pytest

from fuzzing import KINDS, fuzz

INPUTS = int(os.environ.get("FUZZ_INPUTS", "40"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
KEPT = {
    "videos": (2273,),
    "folders": (634,),
    "tool_tables": (101,),
    "features": (298, 20402),
    "settings": (66, 178, 187),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_input_gives_a_result_or_a_reason(kind: str) -> None:
    tallies = [fuzz(kind, FIRST, INPUTS)]
    tallies += [fuzz(kind, number, 1) for number in KEPT.get(kind, ())]
    counts = sum((tally.counts for tally in tallies[1:]), tallies[0].counts)
    print(f"{kind}: {dict(counts)}")
    assert [fault for tally in tallies for fault in tally.faults] == []
    assert counts["results"]
    assert counts["reasons"] or kind == "texts"  # of these, reasons are lines on the terminal
