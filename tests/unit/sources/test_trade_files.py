"""Large tables are read in blocks of whole lines that add up to the file."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import Document, Part
from pipelines.sources.trade_files import line_blocks, open_parts, refuse_ragged


def part(path: Path, content: bytes) -> Part:
    path.write_bytes(content)
    return Part(path.name, Document.of(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.text("ab, \t", max_size=12), max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    tail=st.text("\r\n \t", max_size=20),
    size=st.integers(1, 40),
)
def test_blocks_are_the_lines_of_the_file_in_order(
    tmp_path: Path, lines: list[str], end: str, tail: str, size: int
) -> None:
    content = (end.join(["x", *lines]) + tail).encode()
    # Blanks at the end of a line are no part of a field, wherever a block ends.
    wanted = [line.rstrip() for line in content.rstrip().split(b"\n")]
    got: list[bytes] = []
    for first_row, block in line_blocks(part(tmp_path / "a.csv", content), size):
        assert first_row == len(got) + 1
        assert not block.endswith(b"\n")
        got += [line.rstrip() for line in block.split(b"\n")]
    assert got == wanted


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\r\n"])
def test_blank_files_have_no_blocks(tmp_path: Path, content: bytes) -> None:
    assert list(line_blocks(part(tmp_path / "a.csv", content))) == []


@pytest.mark.parametrize("packing", ["zip", "gz", "plain"])
def test_packings_give_the_same_blocks(tmp_path: Path, packing: str) -> None:
    content = b"".join(b"%d,b\n" % n for n in range(1000))
    path = tmp_path / {"zip": "a.zip", "gz": "a.csv.gz", "plain": "a.csv"}[packing]
    if packing == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", content)
    else:
        path.write_bytes(gzip.compress(content) if packing == "gz" else content)
    (found,) = open_parts([Document.of(path)])
    blocks = list(line_blocks(found, 100))
    assert len(blocks) > 10
    assert b"\n".join(block for _, block in blocks) == content.rstrip()


def test_damage_in_a_later_block_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", b"1,2\n" * 1000)
    path.write_bytes(path.read_bytes().replace(b"1,2\n1,2\n", b"1,2\n1,3\n", 1))
    (found,) = open_parts([Document.of(path)])
    with pytest.raises(DocumentUnreadable, match=r"(?i)damaged.*crc"):
        list(line_blocks(found, 100))


def test_ragged_line_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    found = part(tmp_path / "a.csv", b"a,b\n1,2\n3,4\n5\n")
    *sound, (first_row, last) = line_blocks(found, 4)
    assert [refuse_ragged(b, 2, found, first_row=n) for n, b in sound] == [1, 1, 1]
    with pytest.raises(DocumentUnreadable, match=r"a\.csv, row 4") as refused:
        refuse_ragged(last, 2, found, first_row=first_row)
    assert "1 fields where the header has 2" in str(refused.value)


def test_a_line_without_end_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.trade_files._LONGEST_LINE", 50)
    with pytest.raises(DocumentUnreadable, match="line 2 has more than 50 bytes"):
        list(line_blocks(part(tmp_path / "a.csv", b"a\n" + b"x" * 500), 10))
