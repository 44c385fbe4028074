"""Answers of HM Revenue and Customs: codes, flows, pages, secrets; invented figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import uk_hmrc
from pipelines.sources.base import Document, Parsed

TRADE = "raw_uk_hmrc__trade"
NAME = "OTS_2024_2846.json"


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("uk_hmrc").edition("2024")


@pytest.fixture
def read(tmp_path: Path, edition: Edition, fixtures_dir: Path) -> Callable[..., Parsed]:
    """The fixture, after ``change`` has been at the answer, as documents of these names."""

    def reading(change: Callable[[dict[str, Any]], object] | None = None, *names: str) -> Parsed:
        answer = json.loads((fixtures_dir / "uk_hmrc" / NAME).read_text())
        if change is not None:
            change(answer)
        documents = []
        for name in names or (NAME,):
            path = tmp_path / name
            path.write_text(json.dumps(answer))
            documents.append(Document.of(path))
        return uk_hmrc.parse(edition, documents)

    return reading


def trade(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables[TRADE].select(columns).rows()


def test_rows_of_ports_stay_apart(read: Callable[..., Parsed]) -> None:
    wanted = ["partner_code", "flow", "port_id", "trade_value_gbp", "net_weight_kg", "row_number"]
    assert trade(read(), *wanted)[:2] == [
        ("CN", "import", "11", 700.0, 35.5, 1),
        ("CN", "import", "12", 30.0, 1.5, 2),
    ]


def test_code_gets_its_leading_zero_back(read: Callable[..., Parsed]) -> None:
    assert trade(read(), "national_code", "code_level") == [
        ("28461000", 8),
        ("28461000", 8),
        ("01012910", 8),
    ]


def test_mass_that_is_kept_secret_is_not_zero(read: Callable[..., Parsed]) -> None:
    assert trade(read(), "is_confidential", "net_weight_kg", "net_mass_text", "flow")[2] == (
        True, None, "0.0", "export",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("MonthId", 202413, "month is unreadable"),
        ("MonthId", None, "month is unreadable"),
        ("CommodityId", -1, "not a commodity code"),
        ("Value", None, "value is blank"),
        ("Value", "much", "value is unreadable"),
        ("Value", -3.0, "value is negative"),
        ("NetMass", -3.0, "quantity is negative"),
        ("FlowTypeId", None, "flow is blank"),
    ],
)
def test_single_bad_row_is_quarantined(
    read: Callable[..., Parsed], field: str, value: object, reason: str
) -> None:
    parsed = read(lambda a: a["value"][0].__setitem__(field, value))
    assert parsed.quarantined[TRADE]["quarantine_reason"].to_list() == [reason]
    assert parsed.rows_out == 2


def test_row_of_no_country_is_quarantined(read: Callable[..., Parsed]) -> None:
    parsed = read(lambda a: a["value"][0].__setitem__("Country", None))
    assert parsed.quarantined[TRADE]["quarantine_reason"].to_list() == ["partner is blank"]


def test_repeated_row_is_quarantined(read: Callable[..., Parsed]) -> None:
    parsed = read(lambda a: a["value"].append(a["value"][0]))
    assert (parsed.rows_out, parsed.rows_quarantined) == (3, 1)


def test_new_country_refuses_with_its_code(read: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match="unknown country 'QT'"):
        read(lambda a: a["value"][0]["Country"].__setitem__("CountryCodeAlpha", "QT"))


def test_new_flow_type_refuses(read: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match="unknown flow type '5'"):
        read(lambda a: a["value"][0].__setitem__("FlowTypeId", 5))


@pytest.mark.parametrize("field", ["Country", "MonthId", "Value"])
def test_missing_field_is_refused(read: Callable[..., Parsed], field: str) -> None:
    with pytest.raises(DocumentUnreadable, match=f"field {field} is missing.*row 2"):
        read(lambda a: a["value"][1].pop(field))


def test_answer_that_goes_on_elsewhere_is_refused(read: Callable[..., Parsed]) -> None:
    with pytest.raises(DocumentUnreadable, match="goes on at a page that is not here"):
        read(lambda a: a.__setitem__("@odata.nextLink", "https://api.uktradeinfo.com/OTS?x"))


def test_page_that_nothing_leads_to_is_refused(read: Callable[..., Parsed]) -> None:
    with pytest.raises(DocumentUnreadable, match="page 1, which leads to this one, is not here"):
        read(None, "OTS_2024_2846_p2.json")
    with pytest.raises(DocumentUnreadable, match="page 1, which leads to this one, is not here"):
        read(None, NAME, "OTS_2024_2846_p2.json")


def test_answer_without_rows_is_one(read: Callable[..., Parsed]) -> None:
    assert read(lambda a: a.__setitem__("value", [])).rows_out == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"value": 1}', b'{"value": [1]}', b"The request was rejected.",
     b"<html>Ip Forbidden</html>", b"\xff\xfe\x00", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_answer_is_refused(tmp_path: Path, edition: Edition, content: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(DocumentUnreadable):
        uk_hmrc.parse(edition, [Document.of(path)])
