"""The command ``monazite``: what it understands, and how it says what went wrong."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

from pipelines.commands.display import Screen, one_line
from pipelines.errors import MonaziteError

__all__ = ["app", "main"]

_console = Screen()
_stderr = Screen(stderr=True)
#: Characters of a message that is not ours.
_LONGEST_FOREIGN = 400

app = cyclopts.App(
    name="monazite",
    help="Who depends on whom for critical minerals: bring in, build, ask, explain.",
    help_epilogue=(
        "MONAZITE_HOME names the folder that holds everything (data/ beside the code where it is "
        "not set). Errors are one line; --debug with any command shows the traceback. Exit status: "
        "0 done, 1 a build, a check or a document failed, 2 wrong usage."
    ),
    version=version("monazite"),
    version_flags=["--version"],
    console=_console,
    error_console=_stderr,
    exit_on_error=False,
    print_error=False,
)


@app.command
def run(
    *,
    live: Annotated[bool, Parameter(negative="", help="Ask the publishers.")] = False,
    source: Annotated[
        tuple[str, ...], Parameter(help="Bring in only this source; may be repeated.")
    ] = (),
    year: Annotated[
        tuple[int, ...],
        Parameter(help="Ask the sources for this year only (a backfill); may be repeated."),
    ] = (),
    edition: Annotated[
        tuple[str, ...], Parameter(help="Ask the sources for this edition only; may be repeated.")
    ] = (),
    as_of: Annotated[
        date | None,
        Parameter(help="Use only editions published by this day, such as 2025-12-31."),
    ] = None,
) -> int:
    """Bring in what is new, build, check, release.

    Without --live the archive is used and, where it is empty, the starter of the clone.
    """
    from pipelines.commands.run import run_night

    return run_night(_console, live=live, sources=source, as_of=as_of, years=year, editions=edition)


@app.command(name="import")
def import_(
    source: Annotated[str, Parameter(help="Source of the catalogue, such as usgs_mcs.")],
    files: Annotated[
        tuple[Path, ...], Parameter(help="All files of one edition, or folders that hold them.")
    ],
    /,
    *,
    edition: Annotated[
        str | None, Parameter(help="Label of the edition, where file names do not tell it.")
    ] = None,
    published: Annotated[
        date | None,
        Parameter(help="Day on which the publisher released it, such as 2025-01-31."),
    ] = None,
    force: Annotated[
        str | None,
        Parameter(help="Reason for letting it in although it differs too much from the last one."),
    ] = None,
) -> int:
    """Put documents obtained elsewhere through the same door as fetched ones."""
    from pipelines.commands.bring import import_documents

    return import_documents(
        _console, source, files, label=edition, published=published, reason=force
    )


@app.command
def sql(
    query: Annotated[
        str,
        Parameter(
            help="One reading statement; - reads it from standard input.",
            allow_leading_hyphen=True,
        ),
    ],
    /,
    *,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["table", "csv", "json", "parquet"] | None,
        Parameter(help="Form of the answer; what the name in --out says, else table."),
    ] = None,
    release: Annotated[str | None, Parameter(help="Release to ask; the current one else.")] = None,
    public: Annotated[
        bool, Parameter(negative="", help="Ask the file that may be passed on.")
    ] = False,
    out: Annotated[Path | None, Parameter(help="Write to this file.")] = None,
) -> int:
    """Ask a release in SQL, reading only."""
    from pipelines.commands.ask import ask

    return ask(query, form=format, release=release, public=public, out=out)


@app.command
def explain(
    mart: Annotated[str, Parameter(help="Table, such as mart_concentration.")],
    where: Annotated[str, Parameter(help="Condition on its columns, in SQL.")] = "true",
    /,
    *,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["table", "csv", "json"], Parameter(help="Form of the answer.")
    ] = "table",
    release: Annotated[str | None, Parameter(help="Release to ask; the current one else.")] = None,
    limit: Annotated[
        int, Parameter(help="Mart rows that are explained at most.", validator=Number(gte=1))
    ] = 20,
) -> int:
    """Lead from mart rows to the cells, documents, addresses and hashes behind them."""
    from pipelines.commands.ask import explain_rows

    return explain_rows(mart, where, form=format, release=release, limit=limit)


@app.command
def diff(
    vintage_from: Annotated[str, Parameter(help="Earlier vintage, such as 2025-12-31.")],
    vintage_to: Annotated[str, Parameter(help="Later vintage, such as latest.")],
    /,
    *,
    material: Annotated[str | None, Parameter(help="Only this material.")] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["table", "csv", "json"], Parameter(help="Form of the answer.")
    ] = "table",
) -> int:
    """Show what a revision changed, metric by metric and cell by cell."""
    from pipelines.commands.ask import diff_vintages

    return diff_vintages(vintage_from, vintage_to, material=material, form=format)


@app.command
def scenario(
    country: Annotated[
        tuple[str, ...], Parameter(help="Countries whose exports are cut, such as CHN.")
    ],
    /,
    *,
    material: Annotated[str, Parameter(help="Material, such as permanent_magnets.")],
    stage: Annotated[str | None, Parameter(help="Stage; needed where there are several.")] = None,
    year: Annotated[int | None, Parameter(help="Year of the trade; the newest else.")] = None,
    fraction: Annotated[
        float, Parameter(help="Part of the exports that is cut.", validator=Number(gte=0, lte=1))
    ] = 1.0,
    months: Annotated[
        float, Parameter(help="How long the cut lasts.", validator=Number(gt=0, lte=120))
    ] = 12.0,
    spare_capacity: Annotated[
        float,
        Parameter(help="What others can add, part of their exports.", validator=Number(gte=0)),
    ] = 0.0,
    stock_months: Annotated[
        float, Parameter(help="Months of imports that importers hold.", validator=Number(gte=0))
    ] = 0.0,
    partner: Annotated[
        tuple[str, ...], Parameter(help="Importer that is served first; may be repeated.")
    ] = (),
    basis: Annotated[
        Literal["gross_t", "usd"] | None, Parameter(help="Count tonnes or dollars.")
    ] = None,
    elasticity: Annotated[
        tuple[float, float],
        Parameter(help="Range of the sum of elasticities.", validator=Number(gt=0)),
    ] = (0.2, 1.0),
    importer: Annotated[
        tuple[str, ...], Parameter(help="Show only this importer; may be repeated.")
    ] = (),
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["table", "csv", "json"], Parameter(help="Form of the answer.")
    ] = "table",
    release: Annotated[str | None, Parameter(help="Release to ask; the current one else.")] = None,
    out: Annotated[Path | None, Parameter(help="Write to this file.")] = None,
) -> int:
    """Work out what a cut of supply would leave importers without; an assumption, no forecast."""
    from pipelines.commands.scenario import Cut, show_scenario

    cut = Cut(
        countries=country,
        material=material,
        stage=stage,
        year=year,
        fraction=fraction,
        months=months,
        spare_capacity=spare_capacity,
        stock_months=stock_months,
        partners=partner,
        basis=basis,
        elasticity_low=elasticity[0],
        elasticity_high=elasticity[1],
    )
    return show_scenario(cut, importers=importer, form=format, release=release, out=out)


@app.command
def status() -> int:
    """Show what is held, how fresh it is, and what was refused."""
    from pipelines.commands.hold import show_status

    return show_status(_console)


@app.command
def verify() -> int:
    """Check every hash of archive and release again."""
    from pipelines.commands.hold import verify_all

    return verify_all(_console)


@app.command
def ui(
    *,
    port: Annotated[
        int, Parameter(help="Port on 127.0.0.1.", validator=Number(gte=1, lte=65535))
    ] = 3000,
) -> int:
    """Open Dagster's webserver and daemon on loopback."""
    from pipelines.commands.serve import serve_ui

    return serve_ui(_console, port=port)


@app.command
def emulate(
    *,
    port: Annotated[
        int, Parameter(help="Port on 127.0.0.1.", validator=Number(gte=1, lte=65535))
    ] = 8765,
    only: Annotated[
        tuple[str, ...],
        Parameter(help="Stand in for this source only; may be repeated.", negative=""),
    ] = (),
    faults: Annotated[
        int | None,
        Parameter(help="Let answers go wrong, by the schedule of this number.", negative=""),
    ] = None,
) -> int:
    """Stand in for the publishers on loopback, with figures that may be made up (clones only)."""
    from pipelines.commands.emulate import emulate as serve

    return serve(_console, port=port, only=only, faults=faults)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run a command, print errors as one line, set the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("MONAZITE_DEBUG"))
    words = [word for word in words if word != "--debug"]
    sys.exit(_run(words, debug=debug))


def _run(words: list[str], *, debug: bool) -> int:
    try:
        result = app(words, result_action="return_value")
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        _say(_usage(error))
        return 2
    except BrokenPipeError:
        # The reader of our output (head, less) has left: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
        if debug:
            traceback.print_exc()
        _say(_told(error))
        return error.exit_status if isinstance(error, MonaziteError) else 1
    return result if isinstance(result, int) else 0


def _usage(error: cyclopts.CycloptsError) -> str:
    """What is wrong with the words, and where the right ones stand."""
    text = str(error).rstrip(".")
    if isinstance(error, cyclopts.UnusedCliTokensError):
        text = f"too much: {' '.join(error.unused_tokens or [])}"
    elif isinstance(error, cyclopts.CoercionError) and "into date" in text:
        text += " (write it as 2025-12-31)"
    command = " ".join(["monazite", *(error.command_chain or ())])
    return f"{text}; see `{command} --help`"


def _told(error: Exception) -> str:
    if isinstance(error, MonaziteError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f" [{error.filename}]" if error.filename else ""
        return f"{error.strerror}{place}; --debug shows where"
    heart = f"{type(error).__name__}: {error}"[:_LONGEST_FOREIGN]
    return f"{heart}; this should not happen: --debug shows where, please report it"


def _say(text: str) -> None:
    """One line on standard error, without markup and without folding."""
    sys.stderr.write(f"monazite: {one_line(text)}\n")
