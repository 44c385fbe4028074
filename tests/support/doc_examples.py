"""SQL examples in the documentation and the results printed below them.

An example is a fenced ``sql`` block and the fenced ``text`` block that follows it, which holds what
``monazite sql`` prints for it::

    python -m tests.support.doc_examples            says which results differ from the release
    python -m tests.support.doc_examples --write    writes the results anew (read the changes)

Both ask the current release of ``MONAZITE_HOME``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import duckdb

from pipelines.errors import MonaziteError
from pipelines.publish.query import run_query
from pipelines.publish.reader import open_release
from pipelines.settings import PROJECT_ROOT, Settings

__all__ = ["Example", "answer", "bare_queries", "examples", "pages"]

_QUERY = re.compile(r"^```sql\n(?P<sql>.*?)^```\n", re.MULTILINE | re.DOTALL)
_RESULT = re.compile(r"\n?```text\n(?P<result>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """A query and the result that the page shows.

    :ivar line: line of the query, counted from 1.
    :ivar span: where the result stands in the page's text.
    """

    path: Path
    line: int
    sql: str
    result: str
    span: tuple[int, int]

    @property
    def place(self) -> str:
        """Page and line, as an editor takes them."""
        return f"{self.path.relative_to(PROJECT_ROOT)}:{self.line}"


def pages() -> list[Path]:
    """The pages whose examples are run."""
    return [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs" / "methods").glob("*.md"))]


def examples(path: Path) -> list[Example]:
    """The queries of a page that show a result."""
    return [found for found in _queries(path) if isinstance(found, Example)]


def bare_queries(path: Path) -> list[int]:
    """Lines of the queries of a page that show no result."""
    return [found for found in _queries(path) if isinstance(found, int)]


def _queries(path: Path) -> Iterator[Example | int]:
    text = path.read_text(encoding="utf-8")
    for query in _QUERY.finditer(text):
        line = text.count("\n", 0, query.start()) + 2
        result = _RESULT.match(text, query.end())
        if result is None:
            yield line
        else:
            yield Example(path, line, query["sql"], result["result"], result.span("result"))


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """What ``monazite sql`` prints, without blanks at the ends of lines."""
    stream = BytesIO()
    run_query(connection, sql, "table", stream)
    lines = stream.getvalue().decode("utf-8").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module: 1 where a result differs and is not written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the results into the pages")
    options = parser.parse_args(arguments)
    differing = 0
    with open_release(Settings()) as connection:
        for path in pages():
            text = path.read_text(encoding="utf-8")
            for example in reversed(examples(path)):
                try:
                    found = answer(connection, example.sql)
                except MonaziteError as error:
                    found = f"{error}\n"
                if found != example.result:
                    differing += 1
                    sys.stdout.write(f"{example.place}\n{found}")
                    first, last = example.span
                    text = text[:first] + found + text[last:]
            if options.write:
                path.write_text(text, encoding="utf-8")
    return 1 if differing and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
