from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from pipelines.catalog import Redistribution
from pipelines.publish.licence_gate import LEFT_OUT, LicenceGate, Withheld
from pipelines.publish.manifest import Column, Gate, Model
from tests.fixtures.publish import sample

YES, OWN = "alpha_mines-2025", "beta_flows-2025"
NO, UNKNOWN, DERIVED = "gamma_closed-2025", "delta_unclear-2025", "epsilon_derived-2025"


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def passing(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    *,
    name: str = "mart_x",
    gate: Gate | None = Gate.EDITION,
    terms: dict[str, str] | None = None,
) -> list[str] | None:
    """The ids of the rows that pass, or None if the table stays out as a whole."""
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {rows}")
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    columns = {row[0]: row[1] for row in described}
    tables = {name: columns}
    known = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'dim_edition'")
    if known.fetchone():
        tables["dim_edition"] = {
            row[0]: row[1] for row in connection.execute("DESCRIBE dim_edition").fetchall()
        }
    judge = LicenceGate.of(connection, sample.catalog(terms), tables, database="memory")
    passage = judge.passage(Model(name=name, gate=gate), columns)
    if passage.where is None:
        assert passage.reasons
        return None
    found = connection.execute(f"SELECT id FROM {name} WHERE {passage.where} ORDER BY id")
    return [row[0] for row in found.fetchall()]


def one_each(column: str = "source_edition_id") -> str:
    rows = ", ".join(f"('{edition}', '{edition}')" for edition in sample.EDITIONS.values())
    return f"SELECT * FROM (VALUES {rows}) AS t(id, {column})"


def test_marts_pass_for_yes_and_derived_only(database):
    assert passing(database, one_each()) == [YES, OWN, DERIVED]


def test_facts_pass_for_yes_alone(database):
    assert passing(database, one_each(), name="fct_x") == [YES, OWN]


@pytest.mark.parametrize("name", ["dim_x", "ref_x"])
def test_dimensions_and_references_count_as_derived(database, name):
    assert passing(database, one_each(), name=name) == [YES, OWN, DERIVED]


def test_a_row_of_several_editions_needs_all_of_them(database):
    rows = f"""
        SELECT * FROM (VALUES
            ('both', ['{YES}', '{OWN}']), ('derived', ['{YES}', '{DERIVED}']),
            ('no', ['{YES}', '{NO}']), ('unknown', ['{UNKNOWN}', '{YES}']),
            ('null', NULL), ('empty', []), ('hole', ['{YES}', NULL])
        ) AS t(id, source_edition_ids)"""
    assert passing(database, rows) == ["both", "derived"]
    assert passing(database, rows, name="fct_x") == ["both"]


def test_every_edition_column_counts(database):
    rows = f"""
        SELECT * FROM (VALUES
            ('kept', '{YES}', '{OWN}'), ('old_no', '{YES}', '{NO}'), ('new_no', '{NO}', '{YES}'),
            ('first', '{YES}', NULL), ('nobody', NULL, NULL)
        ) AS t(id, source_edition_id, previous_source_edition_id)"""
    assert passing(database, rows) == ["first", "kept"]


def test_editions_compared_by_a_row_count_too(database):
    rows = f"""
        SELECT * FROM (VALUES
            ('kept', '{YES}', '{OWN}'), ('from', '{NO}', '{OWN}'), ('to', '{YES}', '{UNKNOWN}')
        ) AS t(id, source_edition_from, source_edition_to)"""
    assert passing(database, rows) == ["kept"]


def test_a_source_column_counts_beside_the_edition(database):
    rows = f"SELECT 'x' AS id, '{YES}' AS source_edition_id, 'gamma_closed' AS source_id"
    assert passing(database, rows) == []


def test_the_source_gate_judges_by_source(database):
    rows = """
        SELECT * FROM (VALUES
            ('alpha_mines', 'alpha_mines'), ('epsilon_derived', 'epsilon_derived'),
            ('gamma_closed', 'gamma_closed'), ('stranger', 'zeta_stranger'), ('null', NULL)
        ) AS t(id, source_id)"""
    assert passing(database, rows, gate=Gate.SOURCE) == ["alpha_mines", "epsilon_derived"]
    assert passing(database, rows, gate=Gate.SOURCE, name="fct_x") == ["alpha_mines"]


def test_open_tables_pass_but_not_rows_that_are_a_withheld_source(database):
    rows = f"""
        SELECT * FROM (VALUES
            ('own', 'ours', NULL), ('named', 'gamma_closed', NULL), ('edition', '{NO}', NULL),
            ('mention', 'unlike gamma_closed', NULL), ('tied', 'ours', 'gamma_closed')
        ) AS t(id, note, source_id)"""
    assert passing(database, rows, gate=Gate.OPEN) == ["mention", "own"]


@pytest.mark.parametrize(
    ("note", "passes"),
    [
        ("gamma_closed", False),
        ("of gamma_closed-2025, scaled", False),
        ("raw_gamma_closed__cells", False),
        ("stg_gamma_closed__cells", False),
        ("zeta_stranger", False),
        ("my_gamma_closed_too", True),
        ("gamma_closed_2", True),
        ("epsilon_derived", True),
        ("Gamma closed", True),
    ],
)
def test_a_row_cannot_carry_a_withheld_id_in_another_column(database, note, passes):
    rows = f"""
        SELECT 'x' AS id, '{YES}' AS source_edition_id, '{note}' AS note
        UNION ALL SELECT 'z', '{sample.STRANGER}', ''"""
    assert passing(database, rows) == (["x"] if passes else [])


def test_lists_and_structs_are_searched_too(database):
    rows = f"""
        SELECT 'list' AS id, '{YES}' AS source_edition_id, ['a', 'gamma_closed'] AS notes,
            {{'a': 'x'}} AS told
        UNION ALL SELECT 'struct', '{YES}', ['a'], {{'a': 'gamma_closed'}}
        UNION ALL SELECT 'clean', '{YES}', ['a'], {{'a': 'x'}}"""
    assert passing(database, rows) == ["clean"]


def test_without_a_gate_the_whole_table_stays_out(database):
    assert passing(database, one_each(), gate=None) is None


@pytest.mark.parametrize("gate", [Gate.EDITION, Gate.SOURCE])
def test_a_gate_without_its_column_keeps_the_table_out(database, gate):
    assert passing(database, "SELECT 'x' AS id, 'y' AS note", gate=gate) is None


def test_an_edition_column_of_another_type_keeps_the_table_out(database):
    rows = f"SELECT 'x' AS id, {{'id': '{NO}'}} AS source_edition_id"
    assert passing(database, rows) is None


def test_a_table_named_after_a_withheld_source_stays_out(database):
    assert passing(database, one_each(), name="mart_raw_gamma_closed__x") is None


@pytest.mark.parametrize("edition", [sample.STRANGER, "alpha_mines", "", "-", "-2025", "%"])
def test_an_edition_that_the_catalogue_does_not_know_stays_out(database, edition):
    rows = f"SELECT 'x' AS id, '{edition}' AS source_edition_id"
    assert passing(database, rows) == []


def test_an_edition_that_dim_edition_does_not_hold_stays_out(database):
    database.execute(f"CREATE TABLE dim_edition AS SELECT '{YES}' AS source_edition_id")
    assert passing(database, one_each()) == [YES]


@pytest.mark.parametrize("stated", ["no", "unknown", "maybe", None])
def test_stricter_terms_of_one_edition_win(database, stated):
    value = "NULL" if stated is None else f"'{stated}'"
    database.execute(
        f"""CREATE TABLE dim_edition AS
            SELECT '{YES}' AS source_edition_id, 'alpha_mines' AS source_id,
                'yes' AS redistribution
            UNION ALL SELECT '{OWN}', 'beta_flows', {value}
            UNION ALL SELECT '{NO}', 'gamma_closed', 'yes'"""
    )
    assert passing(database, one_each()) == [YES]


def test_a_source_of_which_no_edition_passes_is_not_spoken_of(database):
    """What checks found in editions of a stand-in is as made up as its figures."""
    database.execute(
        f"""CREATE TABLE dim_edition AS
            SELECT '{YES}' AS source_edition_id, 'alpha_mines' AS source_id, 'no' AS redistribution
            UNION ALL SELECT '{OWN}', 'beta_flows', 'no'
            UNION ALL SELECT 'beta_flows-2026', 'beta_flows', 'yes'"""
    )
    rows = """
        SELECT * FROM (VALUES
            ('alpha_mines', 'alpha_mines'), ('beta_flows', 'beta_flows'),
            ('epsilon_derived', 'epsilon_derived')
        ) AS t(id, source_id)"""
    assert passing(database, rows, gate=Gate.SOURCE) == ["beta_flows", "epsilon_derived"]


def test_an_edition_under_another_source_stays_out(database):
    database.execute(
        f"""CREATE TABLE dim_edition AS
            SELECT '{YES}' AS source_edition_id, 'beta_flows' AS source_id"""
    )
    assert passing(database, one_each()) == []


@pytest.mark.parametrize("terms", ["no", "unknown"])
def test_terms_that_change_close_a_source(database, terms):
    assert passing(database, one_each(), terms={"alpha_mines": terms}) == [OWN, DERIVED]


def test_strange_ids_cannot_break_the_search(database):
    rows = """
        SELECT 'x' AS id, 'alpha_mines-2025' AS source_edition_id, 'a' AS note
        UNION ALL SELECT 'y', '(.*-1', 'b' UNION ALL SELECT 'z', 'it''s-1', 'c'"""
    assert passing(database, rows) == ["x"]


def test_reasons_name_the_edition(database):
    database.execute(f"CREATE TABLE t AS SELECT '{sample.STRANGER}' AS source_edition_id")
    tables = {"t": {"source_edition_id": "VARCHAR"}}
    gate = LicenceGate.of(database, sample.catalog(), tables, database="memory")
    assert gate.reasons == (f"edition {sample.STRANGER}: the catalogue does not know its source",)
    assert gate.editions == {sample.STRANGER: Redistribution.UNKNOWN}


class TestTexts:
    withheld = Withheld(
        ids=frozenset({"gamma_closed", "alpha_mines-2024"}), names=frozenset({"The Closed Book"})
    )

    @pytest.mark.parametrize(
        "text",
        ["from gamma_closed.", "GAMMA_CLOSED", "see the closed book!", "uses alpha_mines-2024."],
    )
    def test_names_are_found_in_whatever_case(self, text):
        assert self.withheld.mentioned(text)
        assert self.withheld.cleaned(text) == LEFT_OUT

    @pytest.mark.parametrize(
        "text", ["", "gamma", "gamma_closedness", "The Closed Bookshelf", "alpha_mines-2024.1"]
    )
    def test_other_texts_stay(self, text):
        assert self.withheld.cleaned(text) == text

    def test_a_model_is_cleaned_everywhere(self):
        model = Model(
            name="mart_x",
            description="Of gamma_closed.",
            columns=(Column("a", "gamma_closed", checks=("one of x, gamma_closed", "not null")),),
            sources=("alpha_mines", "gamma_closed"),
            checks=("compared with gamma_closed",),
        )
        cleaned = self.withheld.cleaned_model(model)
        assert "gamma_closed" not in repr(cleaned)
        assert cleaned.columns[0].checks == ("not null",)
        assert cleaned == replace(cleaned, sources=("alpha_mines",), checks=())
