"""Production of the British Geological Survey: pages, exports, tokens, names. Invented figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused, UnknownLabel
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import bgs_wms
from pipelines.sources.base import Document, Parsed

LABELS = PROJECT_ROOT / "dbt_project" / "seeds" / "labels"
FEATURE: dict[str, Any] = {
    "country_iso3_code": "AUS",
    "units": "tonnes (metal content)",
    "year": "2021-01-01T00:00:00",
    "quantity": 12,
    "quantity_in_book_style": "12",
    "yearbook_table_trans": "Mine production of cobalt",
    "bgs_statistic_type_trans": "Production",
    "bgs_commodity_trans": "cobalt, mine",
    "bgs_sub_commodity_trans": None,
    "concat_figure_notes_code": None,
    "concat_figure_notes_text": None,
    "concat_table_notes_text": None,
    "country_trans": "Australia",
    "data_precision_description": None,
}


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("bgs_wms").edition("2021")


def feature(**changes: Any) -> dict[str, Any]:
    return FEATURE | changes


def page(
    features: Sequence[Mapping[str, Any]], *, matched: int | None = None, offset: int = 0
) -> bytes:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "id": offset + i, "geometry": None, "properties": f}
                for i, f in enumerate(features)
            ],
            "numberMatched": len(features) if matched is None else matched,
            "numberReturned": len(features),
            "links": [{"rel": "self", "href": "https://h/items?f=json&limit=2&units=x"}],
            "timeStamp": "2026-01-01T00:00:00Z",
        }
    ).encode()


def read(folder: Path, edition: Edition, *contents: bytes) -> Parsed:
    documents = []
    for number, content in enumerate(contents):
        path = folder / f"page-{number}.json"
        path.write_bytes(content)
        documents.append(Document.of(path))
    return bgs_wms.parse(edition, documents)


def table(folder: Path, edition: Edition, *features: Mapping[str, Any]) -> pl.DataFrame:
    return read(folder, edition, page(features)).tables[bgs_wms.PRODUCTION]


def reasons(parsed: Parsed) -> list[str]:
    return parsed.quarantined[bgs_wms.PRODUCTION].get_column("quarantine_reason").to_list()


def export(folder: Path, columns: Sequence[str], *features: Mapping[str, Any]) -> Path:
    path = folder / "BGS_cobalt_production.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows([f.get(c) for c in columns] for f in features)
    return path


def test_nil_missing_and_below_half_a_unit_stay_apart(tmp_path: Path, edition: Edition) -> None:
    below = "Quantity is more than 0 but less than 0.5"
    cells = [
        ("Australia", 0, "-----", "Nil (nothing produced)"),
        ("Brazil", None, "...", "Figures not available"),
        ("China", 0, "0", below),
        ("Cuba", 1200, "1200", None),
    ]
    frame = table(
        tmp_path,
        edition,
        *(
            feature(
                country_trans=country,
                quantity=quantity,
                quantity_in_book_style=printed,
                data_precision_description=precision,
            )
            for country, quantity, printed, precision in cells
        ),
    )
    told = frame.select("value_text", "value_flag", "value", "value_low", "value_high").rows()
    assert told == [
        ("-----", "zero", 0.0, 0.0, 0.0),
        ("...", "not_available", None, None, None),
        ("0", "below_half_unit", None, 0.0, 0.5),
        ("1200", "reported", 1200.0, 1200.0, 1200.0),
    ]


@pytest.mark.parametrize(
    ("code", "text", "flag"),
    [
        ("*", "Estimates.", "estimated"),
        ("*|b", "Estimates.|Years ended 31 March following that stated.", "estimated"),
        ("b|*", None, "estimated"),
        ("b", "Years ended 31 March following that stated.", "reported"),
        (None, None, "reported"),
    ],
)
def test_only_notes_tell_an_estimate(
    tmp_path: Path, edition: Edition, code: str | None, text: str | None, flag: str
) -> None:
    frame = table(
        tmp_path, edition, feature(concat_figure_notes_code=code, concat_figure_notes_text=text)
    )
    assert frame.get_column("value_flag").to_list() == [flag]


def test_fields_of_an_export_are_found_by_name(tmp_path: Path, edition: Edition) -> None:
    columns = ["x", "synthetic_id", *reversed(FEATURE), "a_field_of_next_year"]
    path = export(tmp_path, columns, feature(), feature(country_trans="Cuba", quantity=3.0))
    frame = bgs_wms.parse(edition, [Document.of(path)]).tables[bgs_wms.PRODUCTION]
    assert frame.get_column("country_label").to_list() == ["Australia"]
    row = frame.row(0, named=True)
    assert (row["row_number"], row["column_number"]) == (
        2,
        columns.index("quantity_in_book_style") + 1,
    )
    assert row["series_label"] == "cobalt, mine"
    assert row["reference_year"] == 2021


def test_a_figure_and_its_printed_form_must_agree(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, page([feature(quantity=13), feature(country_trans="Cuba")]))
    assert reasons(parsed) == ["figure and its printed form differ"]
    assert parsed.rows_out == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"year": "2021/22"}, "year is not a year"),
        ({"country_trans": " "}, "country is blank"),
        ({"quantity_in_book_style": "many"}, "figure is unreadable"),
        ({"quantity": "many"}, "quantity is unreadable"),
        ({"quantity": -12, "quantity_in_book_style": "-12"}, "figure is negative"),
        (
            {"data_precision_description": "Nil (nothing produced)"},
            "figure contradicts its precision",
        ),
    ],
)
def test_a_bad_row_waits_with_its_reason(
    tmp_path: Path, edition: Edition, changes: dict[str, Any], reason: str
) -> None:
    parsed = read(tmp_path, edition, page([feature(**changes), feature(country_trans="Cuba")]))
    assert reasons(parsed) == [reason]
    assert parsed.rows_out + parsed.rows_quarantined == 2


def test_a_figure_that_stands_twice_waits(tmp_path: Path, edition: Edition) -> None:
    path = export(tmp_path, list(FEATURE), feature(), feature(quantity_in_book_style="12"))
    parsed = bgs_wms.parse(edition, [Document.of(path)])
    assert (parsed.rows_out, parsed.rows_quarantined) == (1, 1)


def test_imports_and_exports_are_counted_and_left_out(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, page([feature(), feature(bgs_statistic_type_trans="Imports")]))
    assert (parsed.rows_out, parsed.rows_out_of_scope) == (1, 1)
    with pytest.raises(DocumentUnreadable, match="no figure of production"):
        read(tmp_path, edition, page([feature(bgs_statistic_type_trans="Exports")]))


def test_a_commodity_that_is_not_used_is_kept_as_it_is(tmp_path: Path, edition: Edition) -> None:
    other = feature(
        bgs_commodity_trans="cement  clinker",
        bgs_sub_commodity_trans="White",
        units="tonnes (metric)",
    )
    frame = table(tmp_path, edition, other)
    assert frame.get_column("series_label").to_list() == ["cement clinker: White"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"bgs_commodity_trans": "unobtainium"}, "unknown commodity 'unobtainium'"),
        ({"bgs_sub_commodity_trans": "Sulfide"}, "unknown series 'cobalt, mine: Sulfide'"),
        ({"country_trans": "Ruritania"}, "unknown country 'Ruritania'"),
        ({"units": "stone"}, "unknown unit 'stone'"),
        ({"units": None}, "unknown unit ''"),
        ({"data_precision_description": "Doubtful"}, "unknown precision 'Doubtful'"),
        ({"bgs_statistic_type_trans": "Stocks"}, "unknown kind of statistic 'Stocks'"),
        ({"bgs_commodity_trans": "graphite"}, "but its basis is gross_t"),
    ],
)
def test_an_unknown_name_refuses_with_its_place(
    tmp_path: Path, edition: Edition, changes: dict[str, Any], what: str
) -> None:
    with pytest.raises(UnknownLabel) as refusal:
        table(tmp_path, edition, feature(), feature(country_trans="Cuba") | changes)
    assert what in str(refusal.value)
    assert "page-0.json" in str(refusal.value)


def test_pages_of_one_request_make_a_whole(tmp_path: Path, edition: Edition) -> None:
    first = [feature(country_trans=c) for c in ("Australia", "Brazil")]
    second = [feature(country_trans="Cuba")]
    parsed = read(tmp_path, edition, page(first, matched=3), page(second, matched=3, offset=2))
    assert parsed.rows_out == 3


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (None, "a page is missing"),
        ({"matched": 4, "offset": 2}, "pages disagree"),
        ({"matched": 3, "offset": 1}, "a feature stands twice"),
    ],
)
def test_missing_doubled_and_disagreeing_pages_are_refused(
    tmp_path: Path, edition: Edition, second: dict[str, int] | None, what: str
) -> None:
    pages = [page([feature(country_trans=c) for c in ("Australia", "Brazil")], matched=3)]
    if second is not None:
        pages.append(page([feature(country_trans="Cuba")], **second))
    with pytest.raises(DocumentUnreadable, match=what):
        read(tmp_path, edition, *pages)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"code": "NotFound", "description": "no collection"}',
        b'{"features": [1], "numberMatched": 1}',
        b'{"features": [{"properties": null}], "numberMatched": 1}',
        b'{"features": [{"properties": {}}], "numberMatched": 1}',
        b'{"features": [], "numberMatched": "many"}',
        b'{"features": [], "numberMatched": 0}',
        b"<!doctype html><title>Busy</title>",
        page([feature()])[:-40],
        page([feature(quantity={"a": 1})]),
    ],
)
def test_bytes_that_are_no_page_are_refused_in_one_line(
    tmp_path: Path, edition: Edition, content: bytes
) -> None:
    with pytest.raises(EditionRefused) as refusal:
        read(tmp_path, edition, content)
    assert "\n" not in str(refusal.value)


def test_an_export_without_a_field_or_cut_short_is_refused(
    tmp_path: Path, edition: Edition
) -> None:
    path = export(tmp_path, [c for c in FEATURE if c != "units"], feature())
    with pytest.raises(DocumentUnreadable, match="columns missing: units"):
        bgs_wms.parse(edition, [Document.of(path)])
    path = export(tmp_path, list(FEATURE), feature())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DocumentUnreadable, match=r"not a readable table|cut short"):
        bgs_wms.parse(edition, [Document.of(path)])


# Maps


def seed(name: str) -> pl.DataFrame:
    return pl.read_csv(LABELS / f"{name}.csv", infer_schema=False)


def test_every_series_belongs_to_a_used_commodity_and_every_used_commodity_has_one() -> None:
    used = seed("commodity__bgs_wms").filter(pl.col("is_used") == "true")["commodity_label"]
    series = seed("series__bgs_wms").get_column("series_label")
    assert set(series.str.split(": ").list.first()) == set(used)


def test_a_series_has_material_stage_and_basis_or_none_of_them() -> None:
    given = seed("series__bgs_wms").select(
        pl.sum_horizontal(pl.col("material", "stage", "basis").is_not_null().cast(pl.Int8))
    )
    assert set(given.to_series()) == {0, 3}


def test_lithium_is_summed_by_content_only_and_rare_earths_by_oxide_only() -> None:
    primary = seed("series__bgs_wms").filter(pl.col("is_primary") == "true")
    for material, basis in (("Li", "element_t"), ("REE_total", "reo_t")):
        mine = primary.filter(pl.col("material") == material)
        assert set(mine.get_column("basis")) == {basis}


def test_congo_is_not_what_its_code_says() -> None:
    countries = dict(seed("country__bgs").select("country_label", "country_iso3").iter_rows())
    assert countries["Congo"] == "COG"
    assert countries["Congo, Democratic Republic"] == "COD"
    assert [countries[c] for c in ("Zaire", "Rhodesia", "Soviet Union")] == ["ZAR", "RHO", "SUN"]
