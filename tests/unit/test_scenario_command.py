"""``monazite scenario`` on invented trade: what it refuses, in one line, and what it says."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.command import Outcome, monazite
from tests.support.measures import create_measures

#: importer, partner, material, stage, basis, quantity
IMPORTS = [
    ("JPN", "CHN", "ree_metals", "metal", "gross_t", 60.0),
    ("JPN", "AUS", "ree_metals", "metal", "gross_t", 40.0),
    ("DEU", "CHN", "ree_metals", "metal", "gross_t", 10.0),
    ("EU27", "CHN", "ree_metals", "metal", "gross_t", 10.0),
    ("JPN", "CHN", "ree_metals", "metal", "usd", 900.0),
    ("JPN", "CHN", "magnets", "product", "usd", 70.0),
]


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as made:
        create_measures(made)
        made.execute(
            """
            create table dim_country (country_iso3 varchar, is_eu27 boolean);
            insert into dim_country values ('CHN', false), ('JPN', false), ('AUS', false),
                ('LUX', true), ('DEU', true), ('EU27', false), ('WLD', false);
            create table mart_import_dependency (
                importer_iso3 varchar, partner_iso3 varchar, material varchar, stage varchar,
                basis varchar, imports_usd double, imports_gross_t double, vintage_id varchar,
                reference_year integer, import_reliance double, flow_source varchar,
                source_edition_id varchar
            )
            """
        )
        made.executemany(
            """
            insert into mart_import_dependency
            select
                $1, $2, $3, $4, $5, case $5 when 'usd' then $6 end,
                case $5 when 'gross_t' then $6 end, 'latest', 2024, null, 'toy', 'toy-1'
            """,
            IMPORTS,
        )
        yield made


@pytest.fixture
def run(connection: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    @contextmanager
    def opened(*_: Any) -> Any:
        yield connection

    monkeypatch.setattr("pipelines.commands.scenario.open_release", opened)

    def told(*words: str) -> Outcome:
        return monazite("scenario", *words, home=tmp_path)

    return told


METALS = ("--material", "ree_metals")


@pytest.mark.parametrize(
    ("words", "named", "remedy"),
    [
        (("XYZ", *METALS), "XYZ", "dim_country"),
        (("CHN", "WLD", *METALS), "WLD", "dim_country"),
        (("chn", *METALS), "chn", "CHN"),
        (("CHN", *METALS, "--partner", "QQQ"), "QQQ", "dim_country"),
        (("CHN", *METALS, "--importer", "ZZZ"), "ZZZ", "dim_country"),
        (("CHN", *METALS, "--importer", "LUX"), "LUX", "--importer"),
        (("CHN", "--material", "ree_metal"), "ree_metal", "monazite sql"),
        (("CHN", *METALS, "--stage", "refinery"), "ree_metals", "monazite sql"),
        (("CHN", *METALS, "--year", "1901"), "ree_metals", "monazite sql"),
        (("CHN", "--material", "magnets", "--basis", "gross_t"), "magnets", "monazite sql"),
        (("CHN", *METALS, "--spare-capacity", "inf"), "spare_capacity", "finite"),
        (("CHN", *METALS, "--stock-months", "inf"), "stock_months", "finite"),
        (("CHN", *METALS, "--elasticity", "2", "1"), "elasticity", "smaller"),
    ],
)
def test_what_is_not_known_is_one_line_with_a_remedy(run, words, named, remedy):
    told = run(*words)
    assert told.status == 2
    assert named in told.line
    assert remedy in told.line
    assert told.out == ""


def test_tonnes_are_taken_where_they_are_held_and_dollars_else(run):
    metals, magnets = run("CHN", *METALS), run("CHN", "--material", "magnets")
    assert (metals.status, magnets.status) == (0, 0)
    assert "tonnes, gross" in metals.err
    assert "60.0" in metals.out
    assert "USD" in magnets.err
    assert "70.0" in magnets.out


def test_the_union_is_taken_for_its_members(run):
    by_name = run("CHN", *METALS, "--spare-capacity", "0.25", "--partner", "DEU")
    as_union = run("CHN", *METALS, "--spare-capacity", "0.25", "--partner", "EU27")
    assert as_union.out == by_name.out
    assert as_union.status == 0


def test_a_cut_that_takes_nothing_is_said(run):
    told = run("LUX", *METALS)
    assert told.status == 0
    assert "(0 rows)" in told.out
    assert "nobody loses" in told.err
