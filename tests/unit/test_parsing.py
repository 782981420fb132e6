"""Limits on YAML and JSON that others have written."""

import json

import pytest

from facewave import parsing


def test_depth_and_aliases_have_limits() -> None:
    laughs = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]
    for text, problem in (
        ("- " * 2000, "deep"),
        ("a: " + "[" * 90 + "]" * 90, ""),
        ("a: " + "[" * 120 + "]" * 120, "deep"),
        ("\n".join(laughs), "more than 100000 values"),
        ("&a [*a]", "deep"),
        ("a: &a {b: *a}", "deep"),
        ("a: &a [1, 2]\nb: *a", ""),
        ("a: " + "5" * 100_000, "digits"),
        ("[1, 2", "line 1"),
        ("a: [1, 1e-3]", ""),
    ):
        if problem:
            with pytest.raises(ValueError, match=problem):
                parsing.yaml(text)
        else:
            assert isinstance(parsing.yaml(text), dict)
    assert parsing.yaml("a: [1, 1e-3]") == {"a": [1, 0.001]}


def test_deep_json_is_no_json() -> None:
    assert parsing.json_of(json.dumps({"a": [1]})) == {"a": [1]}
    for text in ("[" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(ValueError, match="too deeply"):
            parsing.json_of(text)
