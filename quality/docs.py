"""The checks in words: the tables of ``docs/methods/quality.md``, from the suites.

::

    python -m quality.docs            writes the tables
    python -m quality.docs --check    exit status 1 if they are stale
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from pipelines.settings import PROJECT_ROOT
from quality.suites import Check, load_checks

__all__ = ["PAGE", "main", "render", "with_tables"]

PAGE = PROJECT_ROOT / "docs" / "methods" / "quality.md"
_TABLES = re.compile(r"(?<=<!-- checks begin -->\n).*(?=<!-- checks end -->)", re.DOTALL)


def render(checks: Iterable[Check]) -> str:
    """One heading and one table a suite, one row a check."""
    parts = []
    for suite, members in groupby(checks, key=lambda check: check.suite):
        parts += [
            f"\n## {suite.capitalize()}\n",
            "| check | looks at | severity | what is expected, and what would break it | needs |",
            "|---|---|---|---|---|",
            *(_row(check) for check in members),
        ]
    return "\n".join([*parts, "\n"])


def _row(check: Check) -> str:
    needs = ", ".join(
        f"`{table}`" + (f" ({editions} editions)" if editions > 1 else "")
        for table, editions in check.needs.items()
    )
    why = " ".join(check.why.split()).replace("|", "\\|")
    return f"| `{check.id}` | `{check.table}` | {check.severity} | {why} | {needs} |"


def with_tables(page: str, checks: Iterable[Check]) -> str:
    """``page`` with the tables of ``checks`` between its two marks.

    :raises ValueError: the page has no marks.
    """
    tables = render(checks)
    written, found = _TABLES.subn(lambda _: tables, page)
    if found != 1:
        raise ValueError("the page must hold `<!-- checks begin -->` and `<!-- checks end -->`")
    return written


def main(arguments: Sequence[str] | None = None, *, page: Path = PAGE) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m quality.docs", description="Write the checks into docs/methods/quality.md."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it is stale")
    options = parser.parse_args(arguments)
    before = page.read_text(encoding="utf-8")
    after = with_tables(before, load_checks())
    if options.check and after != before:
        print(f"stale: {page}; run `python -m quality.docs`", file=sys.stderr)
        return 1
    if after != before:
        page.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
