"""The method's published facts, asked of the warehouse."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from tests.support import reference_values as known
from tests.support.measures import create_measures

pytestmark = [pytest.mark.reference, pytest.mark.slow, pytest.mark.xdist_group("starter")]


@pytest.fixture(scope="module")
def facts(reference_data):
    return known.facts(reference_data)


@pytest.fixture(scope="module")
def found(starter_home, reference_data, facts):
    with known.warehouse(starter_home, reference_data) as where:
        return known.check(facts, where)


def told(found, *outcomes):
    return [(f.fact.ref_id, f.fact.value, f.detail) for f in found if f.outcome in outcomes]


def test_every_exact_fact_equals_the_warehouse_or_has_a_reason(found):
    assert told([f for f in found if f.fact.test_use == "exact"], "differs", "nothing") == []


def test_every_band_holds_or_has_a_reason(found):
    assert told([f for f in found if f.fact.test_use == "band"], "outside", "nothing") == []


def test_every_claim_stands_beside_a_computed_figure_or_a_reason(found):
    assert told(found, "no claim") == []
    assert sum(f.outcome == "claim" for f in found) >= 40


def test_no_fact_is_passed_over(found, facts):
    assert {f.fact.ref_id for f in found} == {f.ref_id for f in facts}
    asked = {*known.RELEASE, *known.IMPORTED}
    assert not asked & set(known.REASONS), "asked, and a reason not to ask"
    listed = {f.ref_id for f in facts if f.test_use != "claim"}
    assert {*asked, *known.REASONS} == listed
    assert sum(f.outcome in {"equal", "inside"} for f in found) >= 70


def test_a_wrong_figure_would_be_seen(found):
    for f in (f for f in found if f.outcome == "equal" and not f.fact.value.startswith(">")):
        shifted = replace(f.fact, value=str(f.fact.numbers[0] * 1.1 + 2))
        assert not shifted.agrees(tuple(f.fact.numbers[:1]))
    bound = next(f.fact for f in found if f.fact.value.startswith(">"))
    assert not bound.agrees((bound.numbers[0], "reported"))
    assert not bound.agrees(())


def test_the_page_says_what_was_found(found):
    assert known.PAGE.read_text(encoding="utf-8") == known.page(found), (
        "write it again: python -m tests.support.reference_values HOME REFERENCE_DATA"
    )


def test_the_release_carries_the_very_measures_that_the_vectors_test(starter_home):
    definitions = """
        -- A file that is opened again quotes names of types.
        select function_name, parameters::varchar, replace(macro_definition, '"', '')
        from duckdb_functions()
        where not internal and schema_name = 'main' and function_type = 'macro' order by all
    """
    with duckdb.connect() as fresh:
        create_measures(fresh)
        tested = fresh.execute(definitions).fetchall()
    path = starter_home / "release" / "current" / "monazite.duckdb"
    with duckdb.connect(str(path), read_only=True) as release:
        assert release.execute(definitions).fetchall() == tested
    assert len(tested) > 15
