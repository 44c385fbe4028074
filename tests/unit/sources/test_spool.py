"""Whole answers outlive the night; what is not whole, or has been overtaken, is asked for again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed
from pipelines.sources.fetching import FetchedDocument
from pipelines.sources.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "fetch" / "toy" / "2026")


def document(spool: Spool, name: str = "a.json", content: bytes = b"[1, 2]") -> FetchedDocument:
    path = spool.folder / name
    path.write_bytes(content)
    return FetchedDocument(
        name=name,
        path=path,
        url="https://example.org/a?b=1",
        sha256=hashlib.sha256(content).hexdigest(),
        md5="0" * 32,
        size_bytes=len(content),
        retrieved_at=datetime(2026, 3, 1, 4, tzinfo=UTC),
        etag='"v1"',
    )


def test_what_is_kept_is_given_again_as_it_was(spool: Spool) -> None:
    kept = spool.keep(document(spool), key="v1")
    assert Spool(spool.folder).get("a.json", key="v1") == kept


def test_an_answer_under_another_key_has_been_overtaken(spool: Spool) -> None:
    spool.keep(document(spool), key="v1")
    assert spool.get("a.json", key="v2") is None
    assert spool.get("a.json") is None


def test_what_was_never_kept_is_not_there(spool: Spool) -> None:
    document(spool)
    assert spool.get("a.json") is None
    assert spool.get("b.json") is None


def test_a_document_may_be_named_as_a_note_would_be(spool: Spool) -> None:
    first = spool.keep(document(spool, "a", b"1"))
    second = spool.keep(document(spool, "a.json", b"22"))
    assert spool.get("a") == first
    assert spool.get("a.json") == second


def test_a_name_that_becomes_the_same_file_is_not_taken_for_the_other(spool: Spool) -> None:
    spool.keep(document(spool, "a_b.json"))
    assert spool.get("a?b.json") is None


def shorter(path: Path, sheet: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def of_other_bytes(path: Path, sheet: Path) -> None:
    path.write_bytes(b"[1, 3]")


def gone(path: Path, sheet: Path) -> None:
    path.unlink()


def sheet_cut(path: Path, sheet: Path) -> None:
    sheet.write_bytes(sheet.read_bytes()[:20])


def sheet_empty(path: Path, sheet: Path) -> None:
    sheet.write_bytes(b"")


def sheet_of_something_else(path: Path, sheet: Path) -> None:
    sheet.write_text("[]")


def sheet_without_a_name(path: Path, sheet: Path) -> None:
    told = json.loads(sheet.read_text())
    sheet.write_text(json.dumps({k: v for k, v in told.items() if k != "name"}))


def sheet_of_another_version(path: Path, sheet: Path) -> None:
    sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"weather": "fine"}))


@pytest.mark.parametrize(
    "damage",
    [
        shorter,
        of_other_bytes,
        gone,
        sheet_cut,
        sheet_empty,
        sheet_of_something_else,
        sheet_without_a_name,
        sheet_of_another_version,
    ],
)
def test_what_was_damaged_is_asked_for_again(
    spool: Spool, damage: Callable[[Path, Path], None]
) -> None:
    kept = spool.keep(document(spool), key="v1")
    [sheet] = [p for p in spool.folder.iterdir() if p != kept.path]
    damage(kept.path, sheet)
    assert spool.get("a.json", key="v1") is None
    spool.keep(document(spool), key="v1")
    assert spool.get("a.json", key="v1") == kept


def test_clearing_forgets_all_and_may_be_repeated(spool: Spool) -> None:
    spool.keep(document(spool))
    spool.clear()
    spool.clear()
    assert spool.get("a.json") is None


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "fetch").write_text("a file where the folder should be")
    with pytest.raises(FetchFailed, match=r"cannot be written: .* \[.*/fetch/toy\]; make room"):
        _ = Spool(tmp_path / "fetch" / "toy").folder


def test_note_that_the_disk_does_not_take_is_one_line(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = document(spool)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(FetchFailed, match="No space left on device"):
        spool.keep(answer)
    monkeypatch.undo()
    assert spool.get("a.json") is None
