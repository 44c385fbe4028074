"""Pages of the World Bank's interface fill the same table as the workbooks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused, UnknownLabel
from pipelines.sources import wb_wgi
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed

EDITION: Edition = load_catalog().source("wb_wgi").edition("2024")
ESTIMATE = "Rule of Law - Governance estimate (approx. -2.5 to +2.5)"


def row(
    code: str,
    year: int,
    value: object,
    *,
    series: str = "GOV_WGI_RL.EST",
    title: str = ESTIMATE,
    name: str = "Land",
) -> dict[str, Any]:
    return {
        "indicator": {"id": series, "value": title},
        "country": {"id": code[:2], "value": name},
        "countryiso3code": code,
        "date": str(year),
        "value": value,
        "unit": "",
        "obs_status": "",
        "decimal": 1,
    }


def page(rows: Sequence[dict[str, Any]], **changes: Any) -> list[Any]:
    about = {
        "page": 1,
        "pages": 1,
        "per_page": 20_000,
        "total": len(rows),
        "sourceid": "3",
        "lastupdated": "2024-11-05",
    }
    return [about | changes, list(rows)]


def read(folder: Path, *pages: object) -> Parsed:
    documents = []
    for number, body in enumerate(pages):
        path = folder / f"p{number}.json"
        path.write_text(json.dumps(body), encoding="utf-8")
        documents.append(Document.of(path))
    return wb_wgi.parse(EDITION, documents)


def test_a_row_becomes_a_value_with_its_place(tmp_path: Path) -> None:
    parsed = read(tmp_path, page([row("CHL", 2023, 1.0123, name="Chile"), row("NAM", 2023, None)]))
    assert not parsed.quarantined
    first, second = parsed.tables[wb_wgi.ESTIMATE].iter_rows(named=True)
    assert (first["indicator"], first["country_label"], first["reference_year"]) == (
        "rl",
        "CHL",
        2023,
    )
    assert (first["measure"], first["value"], first["value_text"]) == (
        "estimate",
        1.0123,
        "1.0123",
    )
    assert (first["document_name"], first["row_number"]) == ("p0.json", 1)
    assert first["country_text"] == "Chile"
    assert (second["value"], second["value_flag"]) == (None, "not_available")


def test_figures_keep_the_text_that_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = json.dumps(page([row("CHL", 2023, 1.5)])).replace("1.5,", "1.50000000000000000001,")
    path.write_text(text, encoding="utf-8")
    table = wb_wgi.parse(EDITION, [Document.of(path)]).tables[wb_wgi.ESTIMATE]
    assert table.get_column("value_text").to_list() == ["1.50000000000000000001"]


@pytest.mark.parametrize(
    ("series", "title", "measure", "value"),
    [
        ("GOV_WGI_RL.SE", "Rule of Law - Standard error (estimate)", "stddev", 0.2),
        ("GOV_WGI_RL.SE", "Rule of Law - Standard error (gov. score)", "score_stddev", 4.0),
        ("GOV_WGI_RL.SR", "Rule of Law - Number of sources", "nsource", 9),
        ("GOV_WGI_RL.SC", "Rule of Law - Governance score (0-100)", "score", 55.0),
        ("GOV_WGI_RL.SC_LB", "in other words", "score_lower", 50.0),
        ("RL.EST", "Rule of Law: Estimate", "estimate", 0.1),
    ],
)
def test_words_tell_the_measure_or_else_the_id(
    tmp_path: Path, series: str, title: str, measure: str, value: float
) -> None:
    parsed = read(tmp_path, page([row("CHL", 2023, value, series=series, title=title)]))
    assert parsed.tables[wb_wgi.ESTIMATE].select("measure", "value").rows() == [(measure, value)]


def test_series_that_nothing_explains_is_quarantined(tmp_path: Path) -> None:
    parsed = read(
        tmp_path, page([row("CHL", 2023, 0.2, series="GOV_WGI_RL.SE", title="Standard error")])
    )
    (bad,) = parsed.quarantined[wb_wgi.ESTIMATE].get_column(QUARANTINE_REASON).to_list()
    assert bad == "nothing tells what the series measures"


def test_words_and_id_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"GOV_WGI_RL\.SC is called"):
        read(tmp_path, page([row("CHL", 2023, 1.0, series="GOV_WGI_RL.SC")]))


@pytest.mark.parametrize("name", ["Taiwan, China", "Jersey", "Reunion", "Cook Islands"])
def test_areas_without_a_code_are_told_by_name(tmp_path: Path, name: str) -> None:
    parsed = read(tmp_path, page([row("", 2023, 1.0, name=name)]))
    assert parsed.tables[wb_wgi.ESTIMATE].get_column("country_label").to_list() == [name]


def test_unknown_area_and_indicator_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownLabel, match="'Atlantis'"):
        read(tmp_path, page([row("", 2023, 1.0, name="Atlantis")]))
    with pytest.raises(UnknownLabel, match="unknown indicator 'xx'"):
        read(tmp_path, page([row("CHL", 2023, 1.0, series="GOV_WGI_XX.EST")]))


def test_bad_rows_are_quarantined_and_the_others_stay(tmp_path: Path) -> None:
    rows = [
        row("CHL", 2023, 1.0),
        row("CHL", 2022, 7.5),
        row("PER", 2023, "n.s."),
        row("", 2023, 1.0, name=""),
        row("BOL", 2023, 1.0) | {"date": "2023Q1"},
    ]
    parsed = read(tmp_path, page(rows))
    assert parsed.rows_out == 1
    assert sorted(parsed.quarantined[wb_wgi.ESTIMATE].get_column(QUARANTINE_REASON)) == [
        "country code is blank",
        "value is not a number",
        "value is outside the range of the measure",
        "year is not a year",
    ]


ONE, TWO = [row("CHL", 2023, 1.0)], [row("PER", 2023, 2.0)]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([page(ONE, pages=2, total=2)], "page 2 is missing"),
        ([page(ONE, total=2)], "1 rows came of 2"),
        (
            [page(ONE, pages=2, total=2), page(ONE, pages=2, page=2, total=2)],
            "CHL of 2023 stands twice",
        ),
        ([page(ONE), page(ONE)], "a page stands twice"),
        (
            [page(ONE, pages=2, total=2), page(TWO, pages=2, page=2, total=3)],
            "do not agree on the total",
        ),
        (
            [
                page(ONE),
                page(
                    [row("CHL", 2023, 3, series="GOV_WGI_RL.SR", title="")],
                    lastupdated="2025-01-01",
                ),
            ],
            "two states of the database",
        ),
        ([[{"message": [{"id": "120", "key": "Invalid value", "value": "no"}]}]], "error 120"),
        ([{"message": "x"}], "error"),
        (
            [page([row("CHL", 2023, 1.0), row("CHL", 2023, 1.0, series="GOV_WGI_CC.EST")])],
            "one series",
        ),
        ([page(ONE, lastupdated="soon")], "last updated"),
        ([page(ONE, page=None)], "does not tell its page"),
    ],
)
def test_pages_that_are_not_one_whole_are_refused(
    tmp_path: Path, pages: list[Any], said: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=said):
        read(tmp_path, *pages)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(body=VALUES | VALUES.map(lambda v: page([v])) | VALUES.map(  # type: ignore[list-item]
    lambda v: page([row("CHL", 2023, 1.0) | {"date": v, "value": v, "country": v}])
))  # fmt: skip
@example(body=page([row("\ud800", 2023, 1.0)]))
@example(body=page([row("CHL", 2023, "\ud800")]))
def test_any_json_is_read_or_refused(tmp_path: Path, body: object) -> None:
    try:
        parsed = read(tmp_path, body)
    except EditionRefused:
        return
    assert parsed.rows_out + parsed.rows_quarantined == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"<html>", b"[" * 100_000, b"null", b"3"])
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DocumentUnreadable):
        wb_wgi.parse(EDITION, [Document.of(path)])
