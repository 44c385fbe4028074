"""What UN Comtrade lists, and when two answers say the same."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.archive.fingerprint import _reader_files
from pipelines.errors import FetchFailed
from pipelines.sources.un_comtrade.answers_fetch import (
    availability,
    content_digest,
    read_answer,
    rows_by_cell,
)


def data_set(**changes: Any) -> dict[str, Any]:
    told = {
        "reporterCode": 842,
        "period": 2024,
        "totalRecords": 10,
        "datasetChecksum": -5,
        "lastReleased": "2025-03-04T05:06:07",
    }
    return told | changes


def answer(folder: Path, name: str, *rows: dict[str, Any], **envelope: Any) -> Path:
    path = folder / name
    told = {"elapsedTime": name, "count": len(rows), "data": rows, "error": ""}
    path.write_text(json.dumps(told | envelope), encoding="utf-8")
    return path


def test_a_data_set_is_told_by_its_checksum() -> None:
    [(cell, one)] = availability([data_set()], "x").items()
    assert cell == ("842", "2024")
    assert (one.key, one.records, one.released) == ("-5", 10, date(2025, 3, 4))
    [later] = availability([data_set(lastReleased="2025-09-09")], "x").values()
    assert later.key == one.key


def test_without_a_checksum_the_day_of_release_tells() -> None:
    [one] = availability([data_set(datasetChecksum=None)], "x").values()
    [later] = availability([data_set(datasetChecksum=None, lastReleased="2025-09")], "x").values()
    assert one.key != later.key
    assert later.released is None


def test_several_data_sets_of_one_reporter_count_as_one_whatever_their_order() -> None:
    rows = [data_set(), data_set(datasetChecksum=7, lastReleased="2026-01-01")]
    [one] = availability(rows, "x").values()
    [turned] = availability(rows[::-1], "x").values()
    assert one == turned
    assert (one.records, one.released) == (20, date(2026, 1, 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"reporterCode": None},
        {"reporterCode": "USA"},
        {"period": ""},
        {"datasetChecksum": None, "lastReleased": None},
    ],
)
def test_a_data_set_that_cannot_be_told_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FetchFailed, match="without reporterCode, period or datasetChecksum"):
        availability([data_set(**changes)], "x")


@pytest.mark.parametrize("records", [None, "many", -1])
def test_records_that_are_no_number_count_as_none(records: object) -> None:
    [one] = availability([data_set(totalRecords=records)], "x").values()
    assert one.records == 0


def test_the_same_rows_are_the_same_in_whatever_order_and_answers(tmp_path: Path) -> None:
    first, second = {"reporterCode": 1, "period": "2024"}, {"reporterCode": 2, "period": "2024"}
    together = answer(tmp_path, "a.json", first, second)
    apart = [answer(tmp_path, "b.json", second), answer(tmp_path, "c.json", first)]
    other = answer(tmp_path, "d.json", first, {**second, "period": "2023"})
    assert content_digest([together]) == content_digest(apart)
    assert content_digest([together]) != content_digest([other])
    assert content_digest([together]) != content_digest([together, apart[0]])
    assert rows_by_cell(apart) == {("1", "2024"): 1, ("2", "2024"): 1}


@pytest.mark.parametrize("error", [None, ""])
def test_no_error_is_blank_or_absent(tmp_path: Path, error: str | None) -> None:
    path = answer(tmp_path, "a.json", {"a": 1}, error=error)
    assert read_answer(path.read_bytes(), "a") == [{"a": 1}]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, b"null", b'{"count": 1, "data": [3]}', b"{}"]
)
def test_bytes_that_are_no_answer_are_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(FetchFailed) as refused:
        read_answer(body, "a.json")
    assert "\n" not in str(refused.value)


def test_an_error_is_told_in_one_line_that_a_terminal_survives(tmp_path: Path) -> None:
    path = answer(tmp_path, "a.json", error="no\n\x1b[31m" + "x" * 500)
    with pytest.raises(FetchFailed) as refused:
        read_answer(path.read_bytes(), "a.json")
    assert "\x1b" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_what_asks_has_no_part_in_reading() -> None:
    names = set(_reader_files("un_comtrade"))
    assert "pipelines.sources.un_comtrade/reading.py" in names
    assert not {name for name in names if "fetch" in name or "cepii" in name}
