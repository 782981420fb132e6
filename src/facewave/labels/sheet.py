"""The first sheet of a spreadsheet as JSON: ``python -m facewave.labels.sheet FILE``.

A process of its own (apart.py): a file that lies about its size makes the native reader abort, or
take all memory there is.
"""

from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from facewave.labels import apart


def cells(path: str) -> list[list[str]]:
    """The cells, row by row, as they would stand in a text.

    Raises:
        CalamineError: it is no spreadsheet, or damaged.
    """
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    return [[_cell(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]


def _cell(value: Any) -> str:
    """Spreadsheets keep whole numbers as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


if __name__ == "__main__":
    apart.answer(cells, CalamineError)
