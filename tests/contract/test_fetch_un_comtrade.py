"""The emulator of UN Comtrade and the checks of its answers, held to recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.errors import FetchFailed
from pipelines.sources.cepii_baci import mapped_codes
from pipelines.sources.un_comtrade.answers_fetch import availability, read_answer, refuse_others
from pipelines.sources.un_comtrade.pieces_fetch import Piece
from tests.emulator.app import Emulator
from tests.emulator.serving import serving

HOST = "/comtradeapi.un.org"
#: Recorded answers that hold rows: path, and whether texts (``includeDesc``) were asked for.
RECORDED = {
    "comtradr/cassettes/HS-60a6ad.json": True,
    "comtradr/cassettes/HS-5e2730.body.json": True,
    "china_imports_2846_preview/2010.json": True,
    "china_imports_2846_preview/2022.json": True,
}


@pytest.fixture
def folder(reference_data: Path) -> Path:
    return reference_data / "trade" / "comtrade"


@pytest.fixture(scope="module")
def emulated() -> Iterator[httpx.Client]:
    emulator = Emulator(today=date(2026, 11, 25), only=("un_comtrade",))
    with serving(emulator) as mirror, httpx.Client(base_url=mirror) as client:
        yield client


def emulated_rows(emulated: httpx.Client, *, texts: bool = True) -> dict[str, Any]:
    piece = Piece("A", ("156",), ("2024",), ("284610",), ("M", "X"))
    query = f"{piece.query(500)}&includeDesc={str(texts).lower()}"
    answer = emulated.get(f"{HOST}/public/v1/preview/C/A/HS?{query}")
    assert answer.headers["content-type"].startswith("application/json")
    told: dict[str, Any] = answer.json()
    return told


def kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Types of each field over all rows; whole and broken numbers apart, null left out."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, set()).update(() if value is None else {type(value).__name__})
    return found


@pytest.mark.reference
@pytest.mark.parametrize("name", RECORDED)
def test_emulated_rows_have_the_recorded_fields_and_types(
    folder: Path, emulated: httpx.Client, name: str
) -> None:
    real = json.loads((folder / name).read_bytes())
    ours = emulated_rows(emulated)
    assert list(ours) == list(real)
    assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in real.items()}
    assert list(ours["data"][0]) == list(real["data"][0])
    recorded, made = kinds(real["data"]), kinds(ours["data"])
    for field, types in recorded.items():
        if types and made[field]:
            assert made[field] == types, field


@pytest.mark.reference
def test_texts_are_null_where_none_were_asked_for(folder: Path, emulated: httpx.Client) -> None:
    real = json.loads((folder / "crm-trade-network" / "2023_2805_M_392.json").read_bytes())
    ours = emulated_rows(emulated, texts=False)["data"]
    texts = {name for name, value in real[0].items() if value is None and name.endswith("Desc")}
    assert texts
    assert all(ours[0][name] is None for name in texts)


@pytest.mark.reference
def test_an_emulated_answer_without_rows_is_like_the_recorded_one(
    folder: Path, emulated: httpx.Client
) -> None:
    real = json.loads((folder / "comtradr" / "cassettes" / "EB-b31ccb.body.json").read_bytes())
    query = Piece("A", ("156",), ("1960",), ("284610",), ("M",)).query(500)
    ours = emulated.get(f"{HOST}/public/v1/preview/C/A/HS?{query}").json()
    assert {k: v for k, v in ours.items() if k != "elapsedTime"} == {
        k: v for k, v in real.items() if k != "elapsedTime"
    }


@pytest.mark.reference
def test_recorded_previews_are_whole_answers_to_their_requests(folder: Path) -> None:
    paths = sorted((folder / "china_imports_2846_preview").glob("[12]*.json"))
    assert len(paths) > 20
    for path in paths:
        rows = read_answer(path.read_bytes(), path.name)
        assert 0 < len(rows) < 500
        refuse_others(rows, Piece("A", ("156",), (path.stem,), ("2846",), ("M",)), path.name)
        with pytest.raises(FetchFailed, match="was not asked for"):
            refuse_others(rows, Piece("A", ("156",), ("1962",), ("2846",), ("M",)), path.name)


@pytest.mark.reference
def test_recorded_answers_to_a_key_are_whole(folder: Path) -> None:
    path = folder / "comtradr" / "cassettes" / "HS-5e2730.body.json"
    rows = read_answer(path.read_bytes(), path.name)
    codes = {name: {str(row[name]) for row in rows} for name in ("reporterCode", "period")}
    flows = tuple(sorted({row["flowCode"] for row in rows}))
    piece = Piece("A", (*codes["reporterCode"],), (*codes["period"],), ("TOTAL",), flows)
    refuse_others(rows, piece, path.name)


@pytest.mark.reference
def test_an_answer_that_left_transport_open_is_refused(folder: Path) -> None:
    """Recorded rows, with the transport that a request without ``motCode=0`` brings."""
    path = folder / "china_imports_2846_preview" / "2022.json"
    rows = read_answer(path.read_bytes(), path.name)
    rows.append({**rows[0], "motCode": 2100})
    with pytest.raises(FetchFailed, match="motCode 2100"):
        refuse_others(rows, Piece("A", ("156",), ("2022",), ("2846",), ("M",)), path.name)


@pytest.mark.reference
@pytest.mark.parametrize(
    "name", ["comtradr/reference/Reporters.json", "crm-trade-network/2023_2805_M_392.json"]
)
def test_what_is_no_answer_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FetchFailed):
        read_answer((folder / name).read_bytes(), name)


def test_emulated_lists_tell_what_the_reader_of_lists_needs(emulated: httpx.Client) -> None:
    answer = emulated.get(f"{HOST}/public/v1/getDA/C/M/HS?period=202401,202402")
    sets = availability(read_answer(answer.content, "getDA"), "getDA")
    assert {period for _, period in sets} == {"202401", "202402"}
    assert {reporter for reporter, _ in sets} == {"156", "276", "392", "842"}
    one = sets["842", "202401"]
    assert one.records > 0
    assert one.released == date(2025, 1, 10)


def test_what_is_left_open_comes_broken_down_as_at_the_publisher(emulated: httpx.Client) -> None:
    query = "reporterCode=156&period=2024&cmdCode=284610&flowCode=M"
    rows = emulated.get(f"{HOST}/public/v1/preview/C/A/HS?{query}").json()["data"]
    assert {row["motCode"] for row in rows} == {0, 2100}


def test_without_a_key_the_keyed_service_refuses(emulated: httpx.Client) -> None:
    answer = emulated.get(f"{HOST}/data/v1/get/C/A/HS?period=2024")
    assert answer.status_code == 401
    assert answer.json() == {
        "statusCode": 401,
        "message": "Access denied due to missing subscription key. Make sure to include "
        "subscription key when making requests to an API.",
    }


def test_every_mapped_code_can_be_asked_for() -> None:
    assert all(len(code) == 6 and code.isdecimal() for code in mapped_codes())
