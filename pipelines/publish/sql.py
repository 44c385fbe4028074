"""Names and texts as DuckDB writes them."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

__all__ = ["cause", "literal", "name_list", "quoted", "text_list", "without_database"]


def quoted(name: str) -> str:
    """An identifier: ``"name"``."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant: ``'text'``."""
    return "'" + text.replace("'", "''") + "'"


def name_list(names: Iterable[str]) -> str:
    """Identifiers with commas between them."""
    return ", ".join(quoted(name) for name in names)


def text_list(texts: Iterable[str]) -> str:
    """A constant of type ``VARCHAR[]``, in the order of the texts."""
    return "[" + ", ".join(literal(text) for text in sorted(texts)) + "]::VARCHAR[]"


def cause(error: BaseException) -> str:
    """DuckDB's message in one line, without the picture of the place that follows it."""
    lines: list[str] = []
    for line in str(error).splitlines():
        if line.startswith("LINE "):
            break
        lines.append(line)
    return " ".join(" ".join(lines).split()) or type(error).__name__


def without_database(sql: str, database: str) -> str:
    """A statement whose names do not say in which database they stand.

    ``monazite.main.t`` becomes ``main.t``, so that a file can be attached under any name. Texts
    and comments are left alone.
    """
    data = sql.encode()
    starts = [offset for offset, _ in duckdb.tokenize(sql)]
    if not starts:
        return sql
    ends = [*starts[1:], len(data)]
    tokens = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    words = [token.decode().strip() for token in tokens]
    spelled = {database.lower(), quoted(database).lower()}
    kept: list[bytes] = [data[: starts[0]]]
    position = 0
    while position < len(tokens):
        follows = words[position + 1 : position + 4]
        starts_a_name = position == 0 or words[position - 1] != "."
        if (
            starts_a_name
            and words[position].lower() in spelled
            and len(follows) == 3
            and follows[0] == follows[2] == "."
            and follows[1].strip('"') == "main"
        ):
            position += 2
            continue
        kept.append(tokens[position])
        position += 1
    return b"".join(kept).decode()
