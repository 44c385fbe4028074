from __future__ import annotations

from datetime import date

import pytest

from pipelines.commands.evidence import evidence_lines
from pipelines.errors import UsageError
from pipelines.publish.explain import ExplainedRow, Explanation, explain
from pipelines.publish.reader import open_release
from pipelines.publish.release import make_release
from tests.fixtures.publish import sample

ALPHA = "row_key = 'key_alpha_mines'"


def test_a_mart_row_leads_to_cell_document_and_hash(connection):
    found = explain(connection, "mart_concentration", ALPHA)
    assert found.matched == 1
    (row,) = found.rows
    assert row.values["hhi"] == 0.4
    cell = row.evidence[0]
    assert (cell["role"], cell["weight"], cell["method_chain"]) == ("share", 0.75, "harmonised")
    assert cell["source_edition_id"] == "alpha_mines-2025"
    assert cell["document_name"] == "planted_alpha_mines.csv"
    assert (cell["row_number"], cell["column_number"]) == (1, 2)
    assert cell["value_text"] == "planted_alpha_mines"
    assert cell["url"] == "https://planted_alpha_mines.example/"
    assert cell["is_reexpressed"] is True
    assert cell["original_sha256"] == "ff"
    assert len(cell["document_sha256"]) == 64
    assert cell["note"] is None


def test_a_row_set_leads_to_the_documents_that_its_rows_stand_in(connection):
    found = explain(connection, "mart_concentration", ALPHA)
    flows = found.rows[0].evidence[1:]
    assert [entry["document_name"] for entry in flows] == [
        "planted_alpha_mines.zip/2022.csv",
        "planted_alpha_mines.zip/2023.csv",
    ]
    for entry in flows:
        assert entry["row_set"].startswith("source_edition_id = 'alpha_mines-2025'")
        assert entry["row_set_rows"] == 1
        assert entry["document_sha256"] == "dd"
        assert entry["url"] == "https://planted_alpha_mines.example/"
        assert entry["source_edition_id"] == "alpha_mines-2025"
    assert [row["trade_value_usd"] for row in flows[0]["row_set_sample"]] == [3000.0, 2000.0]
    assert flows[1]["row_set_sample"] == []


@pytest.mark.parametrize("before", ["", "WHERE ", " where\n"])
def test_the_condition_may_start_with_where(connection, before):
    assert explain(connection, "mart_concentration", before + ALPHA).matched == 1


def test_rows_come_in_the_order_of_their_keys_up_to_the_limit(connection):
    found = explain(connection, "mart_concentration", "true", limit=3)
    assert found.matched == 12
    keys = [row.row_key for row in found.rows]
    assert keys == sorted(keys)
    assert len(keys) == 3


def test_a_row_without_provenance_is_shown_with_a_note(connection):
    found = explain(connection, "mart_concentration", "row_key = 'nobody'")
    assert found.rows[0].evidence == []
    assert found.records() == [
        {"mart": "mart_concentration", "row_key": "nobody", "note": "no provenance"}
    ]


def test_no_match_is_no_error(connection):
    found = explain(connection, "mart_concentration", "material = 'Xx'")
    assert (found.matched, list(found.rows), found.records()) == (0, [], [])


def test_what_the_public_release_lacks_is_said(warehouse):
    with open_release(warehouse, public=True) as public:
        found = explain(public, "mart_concentration", "row_key = 'key_epsilon_derived'")
    cell, *flows = found.rows[0].evidence
    assert cell["note"] == "the cell is not in this release"
    assert cell["value_text"] is None
    assert len(flows) == 2
    for entry in flows:
        assert entry["row_set_rows"] == 0
        assert entry["note"] == "no such rows are in this release"


@pytest.mark.parametrize(
    ("mart", "told"),
    [
        ("mart_concentraton", "did you mean mart_concentration"),
        ("fct_source_cell", "mart_concentration"),
        ("mart_provenance", "mart_concentration"),
        ('mart_concentration"; DROP TABLE dim_material; --', "mart_concentration"),
        ("", "mart_concentration"),
    ],
)
def test_an_unknown_mart_is_one_line(connection, mart, told):
    with pytest.raises(UsageError, match=told) as caught:
        explain(connection, mart, "true")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "where",
        "nothing = 1",
        "material = 'Nd",
        "true) UNION ALL SELECT * FROM dim_material --",
        "true; DROP TABLE dim_material",
        "true LIMIT 1",
        "true ORDER BY 1",
        "true GROUP BY 1",
        "true, true",
        "count(*) > 1",
        "material = ?",
        "material = $1",
        "row_key IN (SELECT content FROM read_text('/etc/passwd'))",
        "(SELECT count(*) FROM '/etc/passwd') > 0",
        "row_key",
        "\0",
        "material IN (SELECT x.y FROM nowhere AS x)",
    ],
)
def test_a_condition_that_is_none_is_one_line(connection, where):
    with pytest.raises(UsageError, match="condition") as caught:
        explain(connection, "mart_concentration", where)
    assert "\n" not in str(caught.value)
    assert connection.execute("SELECT count(*) FROM dim_material").fetchone() == (2,)


@pytest.mark.parametrize(
    ("row_set", "rows", "note"),
    [
        ("fct_trade_flow: reference_year = 2021", 6, None),
        ("FCT_TRADE_FLOW WHERE reference_year = 2021", 6, None),
        ("fct_source_cell where row_number = 1", 6, None),
        # One row, told with each of the edition's two documents.
        ("ref_threshold where threshold = 'high'", 2, None),
        ("hs_code = '280530'", 18, None),
        ("source_edition_id in (select source_edition_id from dim_edition)", 18, None),
        ("reference_year = 1900", 0, "no such rows"),
        ("fct_nowhere where true", None, "fct_nowhere is not in this release"),
        ("fct_trade_flow where no_column = 1", None, "cannot be read"),
        ("true) union select 1 --", None, "cannot be read"),
    ],
)
def test_row_sets_may_name_their_table(tmp_path, row_set, rows, note):
    settings = sample.settings(tmp_path)
    quoted = row_set.replace("'", "''")
    sample.write_build(
        settings,
        sql=f"""
            INSERT INTO mart_concentration VALUES
                ('k', 'latest', 'Nd', 2024, 0.1, 1, ['alpha_mines-2025'], NULL, NULL);
            INSERT INTO mart_provenance VALUES
                ('mart_concentration', 'k', NULL, '{quoted}', 'alpha_mines-2025', 'r', NULL, 'm')
        """,
    )
    make_release(settings, sample.catalog(), sample.FIRST, sample.write_manifest(tmp_path))
    with open_release(settings) as connection:
        evidence = explain(connection, "mart_concentration", "row_key = 'k'").rows[0].evidence
    counts = [entry["row_set_rows"] for entry in evidence]
    if note:
        assert set(counts) == {rows}
        assert all(note in entry["note"] for entry in evidence)
        assert not any(entry["row_set_sample"] for entry in evidence)
    else:
        assert sum(counts) == rows
        assert all(entry["note"] is None for entry in evidence)
        assert evidence[0]["row_set_sample"]


def test_provenance_without_weights_and_documents_is_enough(tmp_path):
    settings = sample.settings(tmp_path)
    sample.write_build(
        settings,
        sql="ALTER TABLE mart_provenance DROP weight; DROP TABLE dim_document CASCADE;"
        "DROP TABLE dim_edition CASCADE; DROP TABLE fct_source_cell CASCADE",
    )
    document = sample.manifest()
    for name in ("dim_document", "dim_edition", "fct_source_cell"):
        del document["nodes"][f"model.monazite.{name}"]
    manifest = sample.write_manifest(tmp_path, document)
    make_release(settings, sample.catalog(), sample.FIRST, manifest)
    with open_release(settings) as connection:
        cell, *flows = explain(connection, "mart_concentration", ALPHA).rows[0].evidence
    assert cell["note"] == "the cell is not in this release"
    assert [entry["row_set_rows"] for entry in flows] == [1, 1]


def test_facts_that_name_no_document_are_counted_as_a_whole(tmp_path):
    settings = sample.settings(tmp_path)
    sample.write_build(settings, sql="ALTER TABLE fct_trade_flow DROP document_name")
    make_release(settings, sample.catalog(), sample.FIRST, sample.write_manifest(tmp_path))
    with open_release(settings) as connection:
        _, *flows = explain(connection, "mart_concentration", ALPHA).rows[0].evidence
    assert [entry["document_name"] for entry in flows] == [
        "planted_alpha_mines.csv",
        "planted_alpha_mines.zip",
    ]
    assert [entry["row_set_rows"] for entry in flows] == [2, 2]


@pytest.mark.parametrize(
    ("day", "precision", "told"),
    [
        (date(2026, 1, 31), "day", "published 2026-01-31"),
        (date(2026, 1, 31), "month", "published 2026-01"),
        (None, None, "day of publication unknown"),
    ],
)
def test_a_day_of_which_the_month_alone_is_known_is_told_as_a_month(day, precision, told):
    entry = {"document_name": "a.csv", "published_date": day, "published_precision": precision}
    row = ExplainedRow("key", {}, [entry])
    lines = list(evidence_lines(Explanation("mart_concentration", 1, [row]), {}))
    assert next(line for line in lines if "a.csv" in line and told in line).endswith(told)
