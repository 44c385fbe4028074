"""National trade lines from their publishers to one table, on invented rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"

_LINE = """
    source_edition_id varchar, reporter_code varchar, partner_code varchar, flow varchar,
    national_system varchar, national_code varchar, code_level tinyint, reference_year smallint,
    reference_month smallint, trade_value double, currency_code varchar, valuation varchar,
    net_weight_kg double, supplementary_quantity double, supplementary_unit varchar,
    is_confidential boolean, document_name varchar, row_number bigint"""
_REPORT = """
    source_edition_id varchar, source_id varchar, reporter_iso3 varchar, reporter_reported varchar,
    partner_iso3 varchar, partner_reported varchar, partner_area_type varchar, flow varchar,
    hs_code varchar, code_level tinyint, reference_year smallint, reference_month smallint,
    valuation varchar, trade_value_usd double, net_weight_kg double, document_name varchar,
    row_number bigint"""
_MAPS = {
    "country__comext": [("DE", "DEU", "country"), ("CN", "CHN", "country")],
    "country__census": [("5700", "CHN", "country"), ("0003", None, "aggregate")],
    "country__hmrc": [("720", "CHN", "country")],
    "country__jp_customs": [("105", "CHN", "country")],
}

#: Columns of digits, by seed.
_SEEDS = {
    "ref_national_system": "",
    "ref_national_code": ", types = {'national_code': 'varchar', 'hs_code': 'varchar'}",
    "ref_hs_material": ", types = {'hs_code': 'varchar'}",
}


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as database:
        for source in ("eurostat_comext", "us_census", "uk_hmrc", "jp_customs"):
            database.execute(f"create table stg_{source}__trade ({_LINE})")
        database.execute(f"create table fct_trade_report ({_REPORT})")
        for name, rows in _MAPS.items():
            database.execute(
                f"create table {name} (country_label varchar, country_iso3 varchar,"
                " area_type varchar)"
            )
            database.executemany(f"insert into {name} values (?, ?, ?)", rows)
        database.execute("create table dim_country (country_iso3 varchar, is_eu27 boolean)")
        database.execute("insert into dim_country values ('CHN', false), ('DEU', true)")
        database.execute("insert into dim_country values ('USA', false), ('JPN', false)")
        for seed, types in _SEEDS.items():
            file = SEEDS / f"{seed}.csv"
            database.execute(f"create table {seed} as from read_csv('{file}', nullstr = ''{types})")
        for model in ("int_trade__national", "fct_national_trade"):
            database.execute(f"create view {model} as {model_sql(model)}")
        yield database


def put(database: duckdb.DuckDBPyConnection, table: str, **values: Any) -> None:
    row = {
        "source_edition_id": "e-1",
        "flow": "import",
        "reference_year": 2024,
        "reference_month": 1,
        "net_weight_kg": 10.0,
        "document_name": "d",
        "row_number": 1,
        **values,
    }
    names, marks = ", ".join(row), ", ".join("?" for _ in row)
    database.execute(f"insert into {table} ({names}) values ({marks})", [*row.values()])


def rows(database: duckdb.DuckDBPyConnection, columns: str) -> list[tuple[Any, ...]]:
    return database.execute(
        f"select {columns} from fct_national_trade order by source_id, national_code, row_key"
    ).fetchall()


def test_every_publisher_gives_reporter_and_partner_as_countries(warehouse):
    for source, reporter, partner, system, code in [
        ("eurostat_comext", "DE", "CN", "CN8", "28469060"),
        ("us_census", "USA", "5700", "HTS10", "2805300020"),
        ("us_census", "USA", "0003", "HTS10", "2805300020"),
        ("uk_hmrc", "GB", "720", "UK8", "28469060"),
        ("jp_customs", "JP", "105", "JP9", "280530000"),
    ]:
        put(
            warehouse,
            f"stg_{source}__trade",
            reporter_code=reporter,
            partner_code=partner,
            national_system=system,
            national_code=code,
            code_level=len(code),
            trade_value=5.0,
            currency_code="EUR",
        )
    assert rows(warehouse, "source_id, reporter_iso3, partner_iso3, hs_code, elements") == [
        ("eurostat_comext", "DEU", "CHN", "284690", ["Gd", "Tb", "Dy"]),
        ("jp_customs", "JPN", "CHN", "280530", None),
        ("uk_hmrc", "GBR", "CHN", "284690", ["Gd", "Tb", "Dy"]),
        ("us_census", "USA", None, "280530", ["Nd"]),
        ("us_census", "USA", "CHN", "280530", ["Nd"]),
    ]


def test_a_line_names_what_it_holds_else_what_its_code_holds(warehouse):
    for system, code in [
        ("HTS10", "8505110070"),
        ("HTS10", "8505110050"),
        ("HTS10", "8505119999"),
        ("HTS10", "0101210000"),
    ]:
        put(warehouse, "stg_us_census__trade", reporter_code="USA", partner_code="5700",
            national_system=system, national_code=code, code_level=10)  # fmt: skip
    assert rows(warehouse, "national_code, material, stage") == [
        ("0101210000", None, None),
        ("8505110050", "permanent_magnets", "product"),
        ("8505110070", "magnet_ndfeb", "product"),
        ("8505119999", "permanent_magnets", "product"),
    ]


def test_rows_of_a_line_are_summed_and_a_part_without_weight_leaves_none(warehouse):
    line = {
        "reporter_code": "DE",
        "partner_code": "CN",
        "national_system": "CN8",
        "national_code": "28469030",
        "code_level": 8,
        "currency_code": "EUR",
    }
    table = "stg_eurostat_comext__trade"
    put(warehouse, table, **line, trade_value=5.0, supplementary_quantity=2.0,
        supplementary_unit="g", row_number=7)  # fmt: skip
    put(warehouse, table, **line, trade_value=6.0, supplementary_quantity=3.0,
        supplementary_unit="g", is_confidential=True)  # fmt: skip
    put(warehouse, table, **line, trade_value=1.0, reference_month=2)
    put(warehouse, table, **line, trade_value=1.0, reference_month=2, net_weight_kg=None)
    assert rows(
        warehouse,
        "reference_month, trade_value, net_weight_kg, supplementary_quantity, is_confidential,"
        " n_rows, row_number",
    ) == [(1, 11, 20, 5, True, 2, 1), (2, 2, None, None, False, 2, 1)]


def test_a_line_means_what_it_meant_in_the_year(warehouse):
    for year in (2013, 2014):
        put(
            warehouse,
            "fct_trade_report",
            source_id="un_comtrade",
            reporter_iso3="CHN",
            reporter_reported="156",
            partner_iso3="USA",
            partner_reported="842",
            partner_area_type="country",
            hs_code="28469019",
            code_level=8,
            trade_value_usd=1.0,
            flow="export",
            reference_year=year,
        )
    (earlier,), (later,) = rows(warehouse, "elements")
    assert set(earlier) - set(later) == {"Pr"}


def test_extracts_give_their_full_national_codes_and_nothing_else(warehouse):
    for reporter, flow, code in [
        ("USA", "import", "2846902015"),
        ("USA", "export", "2846902015"),
        ("USA", "import", "284690"),
        ("USA", "import", "28469020"),
        ("USA", "re_export", "2846902015"),
        ("DEU", "import", "28469040"),
        ("CHN", "import", "2846901920"),
    ]:
        put(
            warehouse,
            "fct_trade_report",
            source_id="usitc_dataweb",
            reporter_iso3=reporter,
            reporter_reported=reporter,
            partner_iso3="JPN",
            partner_reported="Japan",
            hs_code=code,
            code_level=len(code),
            trade_value_usd=1.0,
            flow=flow,
        )
    assert rows(warehouse, "reporter_iso3, national_system, currency_code, mapping_quality") == [
        ("CHN", "CN_HS10", "USD", "element"),
        ("USA", "SCHB10", "USD", "predominant"),
        ("USA", "HTS10", "USD", "predominant"),
        ("DEU", "CN8", "USD", "element"),
    ]
