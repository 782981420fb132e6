"""Any text through a reader, to the disk and the terminal, as it was or refused."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corpora import entry_of
from facewave.errors import explain
from facewave.labels import schema, tables
from facewave.labels.__main__ import print_rows
from facewave.labels.collect import collect
from facewave.params import Labels

SETTINGS = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")
FIXED = (  # what a shell, a spreadsheet, a terminal, a CSV or Windows takes for something else
    "=cmd|' /C calc'!A0", "+1", "-1", "@x", "NA", "null", "nan", "None", "1e5", "007", "True",
    '"quoted"', "it's", "a,b;c\td", "\U0001f600 \U0001f469\u200d\U0001f467", "שלום-مرحبا",
    "e\u0301", "\u200b", "\ufeff", "%s {} \\n", "[red]", "con", "a\u202eb", "$(x)", "../..",
    "\ufb00", "x" * 300, "#", "' '", "~", "*?", "\x1b[2Jx", "a\0b", "\x85", "a\nb",
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(FIXED), st.text(min_size=1, max_size=12))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(names=st.lists(NAMES, min_size=1, max_size=6))
@example(names=list(FIXED))
def test_names_come_out_as_they_went_in(
    names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [name.encode("utf-8", "replace").decode() for name in names]
    rows = [{"file": f"{at}.mp4", "who": name, "said": name} for at, name in enumerate(names)]
    lines = ["file,who,said,word"]
    lines += [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in (*row.values(), "happy"))
        for row in rows
    ]
    (tmp_path / "t.csv").write_bytes("\n".join(lines).encode())
    columns = {"file_path": "file", "actual": "word", "subject": "who", "transcript": "said"}
    entry = entry_of("table", table="t.csv", words=["happy"], columns=columns)()
    entry = replace(entry, root=str(tmp_path))
    table, words = collect(entry, "t", SETTINGS)
    schema.write(tmp_path / "labels.csv", table, words)
    again = schema.read(tmp_path / "labels.csv")
    assert again["subject"].tolist() == [tables.clean(name) for name in names]
    assert again["transcript"].tolist() == [tables.clean(name) for name in names]
    capsys.readouterr()
    explain(lambda: print_rows("t", again, 0))
    shown = capsys.readouterr().out
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c != "\n"]


def test_surrogates_of_json_are_refused(tmp_path: Path) -> None:
    info = {"ytb_id": "x", "attributes": {"emotion": {"sep_flag": False, "labels": "happy"}}}
    clips = {"\ud800": info, "a": info, "b": {**info, "ytb_id": "\udfff"}}
    (tmp_path / "celebvhq_info.json").write_text(json.dumps({"clips": clips}))
    entry = replace(entry_of("celebv_hq")(), root=str(tmp_path))
    table, words = collect(entry, "t", SETTINGS)
    schema.write(tmp_path / "labels.csv", table, words)
    again = schema.read(tmp_path / "labels.csv")
    assert again["video_idx"].tolist() == [r"\ud800", "a", "b"]
    refused = again["excluded"] == schema.Reason.BAD_VALUE
    assert refused.tolist() == [True, False, True]
    assert "surrogate" in again["note"][0]
