"""What a suite's YAML may say, and what ours say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from quality.suites import Check, load_checks

ENTRY = {
    "id": "sums_are_whole",
    "table": "mart_sum",
    "severity": "error",
    "why": "Sums are whole.",
    "sql": "select 1 as total",
    "expectations": [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "total"}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "total"}},
    ],
}


def write(folder: Path, *entries: dict[str, object], name: str = "sums") -> Path:
    (folder / f"{name}.yml").write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return folder


def test_an_entry_becomes_a_check_of_the_suite_named_by_its_file(tmp_path):
    (check,) = load_checks(write(tmp_path, ENTRY))
    assert (check.suite, check.id, check.source) == ("sums", "sums_are_whole", "all")
    assert check.columns == ("total",)
    assert not check.needs
    assert not check.may_be_empty


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Sums are whole"},
        {"severity": "fatal"},
        {"expectations": []},
        {"expectations": [{"type": "be_nice", "kwargs": {}}]},
        {"needs": {"fct_price": 1}},
        {"needs": {"stg_usgs_mcs__salient": 0}},
        {"treshold": 3},
    ],
)
def test_an_entry_that_is_no_check_is_refused(tmp_path, change):
    with pytest.raises(ValidationError):
        load_checks(write(tmp_path, ENTRY | change))


def test_an_id_stands_once_over_all_suites(tmp_path):
    write(tmp_path, ENTRY)
    with pytest.raises(ValueError, match="sums_are_whole"):
        load_checks(write(tmp_path, ENTRY, name="other"))


@pytest.mark.parametrize("check", load_checks(), ids=lambda check: check.id)
def test_every_check_judges_something_it_shows(check: Check):
    """A threshold that holds for anything is no check."""
    assert len(check.why) > 40
    assert "order by all" not in check.sql.lower()
    for expectation in check.expectations:
        limits = {"min_value", "max_value", "value_set"} & set(expectation.kwargs)
        assert limits, expectation.type
        assert 0.5 <= expectation.kwargs.get("mostly", 1) <= 1
        assert expectation.kwargs["column"] in check.sql
