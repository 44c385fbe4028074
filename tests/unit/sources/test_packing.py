"""A packed file that was cut is told from a whole one."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import py7zr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.packing import why_not_whole

TABLE = b"\n".join(b"%d,%d" % (n, n * 7919 % 1000) for n in range(400))


def zipped(compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        archive.writestr("a.csv", TABLE)
        archive.writestr("b.csv", TABLE[::-1])
    return packed.getvalue()


def seven_zipped() -> bytes:
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w") as archive:
        archive.writestr(TABLE, "a.csv")
    return packed.getvalue()


WHOLE = {
    "zip": zipped(),
    "stored zip": zipped(zipfile.ZIP_STORED),
    "gzip": gzip.compress(TABLE),
    "gzip in two members": gzip.compress(TABLE) + gzip.compress(TABLE),
    "7z": seven_zipped(),
}


def judged(content: bytes, folder: Path) -> str | None:
    path = folder / "file"
    path.write_bytes(content)
    return why_not_whole(path)


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_whole_passes(kind: str, tmp_path: Path) -> None:
    assert judged(WHOLE[kind], tmp_path) is None


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"{}", b"x", b"\x00" * 50, b"Pk"])
def test_what_is_not_packed_is_none_of_its_business(content: bytes, tmp_path: Path) -> None:
    assert judged(content, tmp_path) is None


@pytest.mark.parametrize("kind", sorted(set(WHOLE) - {"gzip in two members"}))
@given(data=st.data())
def test_cut_anywhere_it_is_found(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = WHOLE[kind]
    cut = data.draw(st.integers(1, len(whole) - 1))
    assert judged(whole[:cut], tmp_path_factory.mktemp("cut")) is not None


def test_padding_behind_a_gzip_is_no_damage(tmp_path: Path) -> None:
    assert judged(WHOLE["gzip"] + b"\0" * 700, tmp_path) is None


def test_damage_inside_a_gzip_is_found(tmp_path: Path) -> None:
    whole = bytearray(WHOLE["gzip"])
    whole[len(whole) // 2] ^= 0xFF
    assert judged(bytes(whole), tmp_path) is not None
