"""Flows that are in doubt, on a few rows of what they rest on."""

from __future__ import annotations

import duckdb
import pytest

from tests.support.models import model_sql


@pytest.mark.parametrize(
    ("importer", "code", "year", "expected"),
    [
        ("MYS", 280530, 2023, ("D", "concentrate")),
        ("MYS", 280530, 2011, ("B", None)),
        ("MYS", 280530, 2025, ("B", None)),
        ("JPN", 280530, 2023, ("B", None)),
        ("MYS", 284690, 2023, ("B", None)),
    ],
)
def test_a_flow_in_doubt_is_weak_in_its_years(importer, code, year, expected):
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table ref_flow_doubt as
            select 'AUS' as exporter_iso3, 'MYS' as importer_iso3, '280530' as hs_code,
                2012 as first_year, 2024 as last_year, 'concentrate' as doubt;
            create table country__un as
            from (values ('36', 'AUS'), ('458', 'MYS'), ('392', 'JPN'))
                as names (country_label, country_iso3);
            create table stg_cepii_baci__trade (
                source_edition_id varchar, hs_revision varchar, hs_code varchar,
                exporter_code varchar, importer_code varchar, reference_year smallint,
                value_kusd double, quantity_t double, document_name varchar, row_number bigint
            );
            create table int_trade__reconciled (
                source_edition_id varchar, source_edition_ids varchar[], hs_code varchar,
                exporter_iso3 varchar, importer_iso3 varchar, reference_year smallint,
                reconciled_usd double, reconciled_kg double, x_usd double, m_fob_usd double,
                sigma_ln double, n_reports integer, method_id varchar, quantity_method varchar,
                evidence_grade varchar
            )
            """
        )
        connection.execute(
            "insert into stg_cepii_baci__trade values "
            "('e', 'HS92', $1, '36', $2, $3, 1, 1, 'd.csv', 1)",
            [str(code), {"MYS": "458", "JPN": "392"}[importer], year],
        )
        rows = connection.execute(model_sql("fct_trade_flow")).pl()
        assert rows.select("evidence_grade", "doubt").row(0) == expected
