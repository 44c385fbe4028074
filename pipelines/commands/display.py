"""How tables and lines reach a screen or a pipe: whole, and without anything that steers it."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Screen", "one_line", "say", "show_table", "table_of", "visible"]

_NUMBERS = frozenset({"rows", "quarantined", "documents"})
_LONGEST_LINE = 2000
#: Wider than anything that is shown; only for measuring.
_WIDEST = 100_000


class Screen(Console):
    """A console that leaves it to its caller what a closed pipe means."""

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on; rich itself would end the program with status 1."""
        raise BrokenPipeError


def one_line(text: str) -> str:
    """A message as one visible line, cut where somebody's bytes have made it endless."""
    line = visible(" ".join(text.split()))
    more = len(line) - _LONGEST_LINE
    return f"{line[:_LONGEST_LINE]}... and {more:,} characters more" if more > 0 else line


def visible(text: str) -> str:
    """Text without control characters: a file's name must not steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """One line, neither folded nor read as markup."""
    console.print(one_line(text), style=style, markup=False, highlight=False, soft_wrap=True)


def table_of(*names: str) -> Table:
    """An empty table without a frame; counts stand right."""
    table = Table(box=None, pad_edge=False)
    for name in names:
        justify = "right" if name in _NUMBERS else "left"
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def show_table(console: Console, table: Table) -> None:
    """Print a table whole: a pipe gets its full width, a narrow screen folds long cells."""
    if console.is_terminal:
        console.print(table)
        return
    room = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, room, table).maximum
    Screen(file=console.file, width=max(needed, 1)).print(table)
