from __future__ import annotations

from pipelines.publish.attribution import render_licences, sources_inside
from tests.fixtures.publish import sample


def test_exactly_the_sources_inside_are_named(released):
    text = (released.public / "LICENCES.md").read_text("utf-8")
    for source in sample.catalog().sources.values():
        is_inside = source.source_id in {"alpha_mines", "beta_flows", "epsilon_derived"}
        assert (source.title in text) is is_inside
        assert (source.licence.attribution in text) is is_inside
        assert (source.licence.name in text) is is_inside


def test_editions_bring_their_own_citation():
    entries = sources_inside(sample.catalog(), [], ["alpha_mines-2025", "alpha_mines-2031"])
    assert [entry.source.source_id for entry in entries] == ["alpha_mines"]
    assert entries[0].citations == ("Cite Alpha.", "Edition 2025 of alpha_mines.")
    assert entries[0].edition_ids == ("alpha_mines-2025", "alpha_mines-2031")


def test_unknown_sources_are_not_attributed():
    assert sources_inside(sample.catalog(), ["zeta_stranger"], [sample.STRANGER]) == []


def test_a_package_of_our_own_says_so():
    assert "Nothing in these files comes from another publisher." in render_licences([])
