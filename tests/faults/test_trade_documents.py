"""Whatever the bytes, a reader of bulk trade answers with rows or with one line."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from pathlib import Path

import openpyxl
import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, MonaziteError
from pipelines.sources import SourceModule, load_source
from pipelines.sources.base import Document

SOURCES = ("cepii_baci", "un_comtrade")


def _seeds(fixtures: Path, tmp_path: Path) -> dict[str, list[Path]]:
    """Sound documents of each source, plain and packed."""
    files = sorted((fixtures / "cepii_baci").iterdir())
    baci = list(files)
    comtrade = sorted((fixtures / "un_comtrade").iterdir())
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / f"BACI_HS92_V202601_{method}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in files:
                if "2022" in file.name or "V202601" in file.name:
                    archive.write(file, file.name)
        baci.append(path)
    packed = tmp_path / "extract.csv.gz"
    packed.write_bytes(gzip.compress((fixtures / "un_comtrade" / "extract.csv").read_bytes()))
    book = openpyxl.Workbook()
    answer = []
    for line in (fixtures / "un_comtrade" / "extract.csv").read_text().splitlines():
        book.active.append(line.split(","))
        answer.append(line.split(","))
    book.save(tmp_path / "extract.xlsx")
    rows = [
        {"period": r[0], "reporterCode": r[1], "partnerCode": r[2], "cmdCode": r[3],
         "flowCode": r[4], "primaryValue": float(r[5])}
        for r in answer[1:]
    ]  # fmt: skip
    (tmp_path / "answer.json").write_text(json.dumps({"count": len(rows), "data": rows}))
    comtrade += [packed, tmp_path / "extract.xlsx", tmp_path / "answer.json"]
    return {"cepii_baci": baci, "un_comtrade": comtrade}


def _damaged(content: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    at = chance.randrange(len(content))
    if kind == 0:
        return content[:at]
    if kind == 1:
        spot = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            spot[chance.randrange(len(spot))] = chance.randrange(256)
        return bytes(spot)
    if kind == 2:
        return content[:at] + chance.randbytes(chance.randint(1, 64)) + content[at:]
    if kind == 3:
        return content[:at] + content[at + chance.randint(1, 40) :]
    return content.replace(b",", b'"', chance.randint(1, 3))


def _answers(module: SourceModule, source_id: str, document: Document) -> bool:
    """True if the document is let in, False if it is refused in one line."""
    edition = load_catalog().source(source_id).edition("HS92")
    refusal = ""
    try:
        parsed = module.parse(edition, [document])
    except MonaziteError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        return False
    for name, spec in module.TABLES.items():
        assert parsed.tables[name].schema == spec.schema
    return True


@pytest.mark.parametrize("source_id", SOURCES)
def test_damage_of_any_kind_is_answered(source_id: str, fixtures_dir: Path, tmp_path: Path) -> None:
    module = load_source(source_id)
    chance = random.Random(20260123)  # noqa: S311
    for seed in _seeds(fixtures_dir, tmp_path)[source_id]:
        sound = seed.read_bytes()
        assert _answers(module, source_id, Document.of(seed))
        for round_ in range(25):
            target = tmp_path / f"{round_}" / seed.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(_damaged(sound, chance))
            _answers(module, source_id, Document.of(target))


@pytest.mark.parametrize("source_id", SOURCES)
@pytest.mark.parametrize(
    "name", ["a.csv", "a.zip", "a.csv.gz", "a.json", "a.xlsx", "a.xls", "a.tsv", "a", "a.rda"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 64,
        b"\xff\xfe" + "t,i,j,k,v,q\n".encode("utf-16-le"),
        b"PK\x03\x04",
        b"PK\x05\x06" + b"\x00" * 18,
        b"\x1f\x8b\x08\x00",
        b"\n\n\n",
        b'"',
        b"<!DOCTYPE html>\n<html></html>",
        b"t,i,j,k,v,q\n" + b'"' * 7,
        random.Random(7).randbytes(4096),  # noqa: S311
    ],
)
def test_bytes_that_are_nothing_are_refused(
    source_id: str, name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert not _answers(load_source(source_id), source_id, Document.of(path))


@pytest.mark.parametrize("source_id", SOURCES)
def test_locked_zip_is_refused(source_id: str, tmp_path: Path) -> None:
    path = tmp_path / "BACI_HS92_V202601.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q\n")
    content = bytearray(path.read_bytes())
    # The flag that says a member is encrypted, in both of its headers.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    edition = load_catalog().source(source_id).edition("HS92")
    with pytest.raises(DocumentUnreadable, match="damaged or encrypted"):
        load_source(source_id).parse(edition, [Document.of(path)])


@pytest.mark.parametrize("source_id", SOURCES)
def test_no_documents_are_refused(source_id: str) -> None:
    edition = load_catalog().source(source_id).edition("HS92")
    with pytest.raises(DocumentUnreadable, match="no d"):
        load_source(source_id).parse(edition, [])
