"""Whatever the bytes, a reader of national trade answers with rows or with one line."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import EditionRefused
from pipelines.sources import load_source
from pipelines.sources.base import Document

SOURCES = ("us_census", "uk_hmrc", "jp_customs")


def _answers(source_id: str, document: Document) -> bool:
    """True if the document is let in, False if it is refused in one line."""
    module = load_source(source_id)
    edition = load_catalog().source(source_id).edition("2024")
    refusal = ""
    try:
        parsed = module.parse(edition, [document])
    except EditionRefused as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        return False
    for name, spec in module.TABLES.items():
        assert parsed.tables[name].schema == spec.schema
    return True


def _damaged(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    kind = chance.randrange(6)
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
    if kind == 4:
        return content.replace(b'"', b"", chance.randint(1, 3))
    # Values of other kinds at places where text or objects stand.
    other = chance.choice([b"null", b"[]", b"{}", b"true", b"1e999", b"-0", b'"\\ud800"'])
    words = [b'"DET"', b'"KG"', b"700.0", b'"CN"', b"202403", b'"2024000000"', b'"60"', b"0,40,900"]
    return content.replace(chance.choice(words), other)


@pytest.mark.parametrize("source_id", SOURCES)
def test_damage_of_any_kind_is_answered(source_id: str, fixtures_dir: Path, tmp_path: Path) -> None:
    chance = random.Random(20261125)  # noqa: S311
    for sound in sorted((fixtures_dir / source_id).iterdir()):
        assert _answers(source_id, Document.of(sound))
        for round_ in range(120):
            target = tmp_path / f"{round_}" / sound.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(_damaged(sound.read_bytes(), chance))
            _answers(source_id, Document.of(target))


@pytest.mark.parametrize("source_id", SOURCES)
def test_packed_documents_are_read(source_id: str, fixtures_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((fixtures_dir / source_id).iterdir()):
            if file.suffix == ".json":
                archive.write(file, file.name)
    assert _answers(source_id, Document.of(path))
    cut = tmp_path / "cut.zip"
    cut.write_bytes(path.read_bytes()[:-40])
    assert not _answers(source_id, Document.of(cut))


@pytest.mark.parametrize("source_id", SOURCES)
@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt", ""])
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"\n\n\n", b'"', b"[[", b"0", b"NaN",
     b'{"value": [{"Country": 1}]}', b'[["CTY_CODE"], ["1"]]', b"\xff\xfe" + b"a\x00" * 9,
     b"<!DOCTYPE html>\n<html></html>", random.Random(7).randbytes(2048)],  # noqa: S311
)  # fmt: skip
def test_bytes_that_are_nothing_are_refused(
    source_id: str, suffix: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / f"document{suffix}"
    path.write_bytes(content)
    assert not _answers(source_id, Document.of(path))
