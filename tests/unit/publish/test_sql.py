from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.publish.sql import cause, literal, quoted, without_database

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('FROM "monazite"."main"."t"', 'FROM "main"."t"'),
        ("SELECT monazite.main.t.a FROM Monazite.main.t", "SELECT main.t.a FROM main.t"),
        ("SELECT 'monazite.main.t' FROM t", "SELECT 'monazite.main.t' FROM t"),
        ("SELECT monazite.a FROM t AS monazite", "SELECT monazite.a FROM t AS monazite"),
        ("SELECT x.monazite.main.t", "SELECT x.monazite.main.t"),
        ("SELECT 'é€' AS ü, monazite.main.t.a", "SELECT 'é€' AS ü, main.t.a"),
        ("FROM monazite . main . t", "FROM main . t"),
        ("FROM monazite.other.t", "FROM monazite.other.t"),
        ("", ""),
    ],
)
def test_the_database_is_taken_out_of_names_only(sql, expected):
    assert without_database(sql, "monazite") == expected


@given(NAMES)
def test_any_text_survives_as_literal_and_as_name(text):
    with duckdb.connect() as connection:
        relation = connection.execute(f"SELECT {literal(text)} AS {quoted(text)}")
        assert relation.description[0][0] == text
        assert relation.fetchone() == (text,)


def test_a_cause_is_one_line_without_the_picture():
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("SELECT *\nFROM nowhere_at_all")
    told = cause(caught.value)
    assert "nowhere_at_all" in told
    assert "LINE" not in told
    assert "\n" not in told
