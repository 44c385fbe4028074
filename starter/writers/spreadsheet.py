"""Workbooks whose bytes depend on their cells only: no dates, no author, no style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from starter.writers.common import write_zip

__all__ = ["Cell", "write_workbook"]

Cell = str | int | float | None

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def write_workbook(path: Path, sheets: Mapping[str, Iterable[Sequence[Cell]]]) -> None:
    """Write ``sheets`` (name to rows, from row 1 and column A) as an XLSX file.

    Text is text and numbers are numbers, written in full; None leaves a cell empty.
    """
    names = list(sheets)
    members = {
        "[Content_Types].xml": _content_types(len(names)),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _workbook(names),
        "xl/_rels/workbook.xml.rels": _relations(
            [
                *(("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(names) + 1)),
                ("sharedStrings", "sharedStrings.xml"),
            ]
        ),
    }
    texts: dict[str, int] = {}
    for number, rows in enumerate(sheets.values(), start=1):
        members[f"xl/worksheets/sheet{number}.xml"] = _sheet(rows, texts)
    members["xl/sharedStrings.xml"] = _shared(texts)
    write_zip(path, {name: (_HEAD + xml).encode() for name, xml in members.items()})


def _content_types(sheets: int) -> str:
    overrides = [
        ("/xl/workbook.xml", f"{_TYPES}.sheet.main+xml"),
        ("/xl/sharedStrings.xml", f"{_TYPES}.sharedStrings+xml"),
        *(
            (f"/xl/worksheets/sheet{n}.xml", f"{_TYPES}.worksheet+xml")
            for n in range(1, sheets + 1)
        ),
    ]
    parts = "".join(f'<Override PartName="{p}" ContentType="{t}"/>' for p, t in overrides)
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{parts}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>'
        for n, name in enumerate(names, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'


def _sheet(rows: Iterable[Sequence[Cell]], texts: dict[str, int]) -> str:
    lines = [f"<row>{''.join(_cell(value, texts) for value in row)}</row>" for row in rows]
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(value: Cell, texts: dict[str, int]) -> str:
    # Cells and rows follow one another, so none names its place.
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="s"><v>{texts.setdefault(value, len(texts))}</v></c>'
    return f"<c><v>{value!r}</v></c>"


def _shared(texts: Iterable[str]) -> str:
    items = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in texts)
    return f'<sst xmlns="{_MAIN}">{items}</sst>'
