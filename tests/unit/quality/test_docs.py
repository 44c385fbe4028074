"""The page of checks follows the suites."""

from __future__ import annotations

import pytest

from quality.docs import PAGE, main, render, with_tables
from quality.suites import load_checks


def test_the_page_is_up_to_date():
    assert main(["--check"]) == 0, "run `python -m quality.docs`"


def test_every_check_has_a_row_with_severity_and_reason():
    tables = render(load_checks())
    for check in load_checks():
        (row,) = [line for line in tables.splitlines() if line.startswith(f"| `{check.id}` |")]
        assert f"| {check.severity} |" in row
        assert " ".join(check.why.split()) in row
        assert row.count("|") == 6


def test_a_stale_page_is_told_and_then_written(tmp_path, capsys):
    page = tmp_path / "quality.md"
    page.write_text("# Checks\n\n<!-- checks begin -->\nOutdated.\n<!-- checks end -->\n\nEnd.\n")
    assert main(["--check"], page=page) == 1
    assert "python -m quality.docs" in capsys.readouterr().err
    assert main([], page=page) == 0
    assert main(["--check"], page=page) == 0
    written = page.read_text("utf-8")
    assert "Outdated." not in written
    assert written.startswith("# Checks\n")
    assert written.endswith("<!-- checks end -->\n\nEnd.\n")


def test_a_page_without_marks_is_left_alone(tmp_path):
    with pytest.raises(ValueError, match="checks begin"):
        with_tables("# Checks\n", load_checks())
    assert PAGE.name == "quality.md"
