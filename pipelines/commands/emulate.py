"""``monazite emulate``: every publisher on loopback, for demonstrations without a network."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rich.console import Console

from pipelines.commands.display import say
from pipelines.commands.ports import refuse_taken
from pipelines.errors import UsageError
from pipelines.settings import PROJECT_ROOT

__all__ = ["emulate"]

_PACKAGE = "tests.emulator"
_LOOK_SECONDS = 0.2


def emulate(console: Console, *, port: int, only: Sequence[str], faults: int | None) -> int:
    """Serve until interrupted.

    :param only: sources; all that the emulator has, where empty.
    :param faults: number of a schedule of faults; None where nothing goes wrong.
    :raises UsageError: this is no clone, or the emulator has no such source.
    :raises MonaziteError: the port is taken.
    """
    app, serving = _module("app"), _module("serving")
    served = sorted(app.publisher_modules())
    for source_id in only:
        if source_id not in served:
            raise UsageError(
                f"the emulator has no source {source_id!r}",
                remedy=f"choose one of {', '.join(served)}",
            )
    refuse_taken(port)
    emulator = app.Emulator(only=tuple(only) or None)
    planned = _module("faults").schedule(faults, emulator.hosts) if faults is not None else ()
    emulator.faults.set(*planned)
    with serving.serving(emulator, port=port) as base:
        say(console, f"{base} stands in for {', '.join(sorted(emulator.modules))}")
        for fault in planned:
            say(console, f"goes wrong: {fault}")
        say(
            console,
            "in another shell, with a home of its own: MONAZITE_HOME=emulated "
            f"MONAZITE_HTTP_MIRROR={base} MONAZITE_HTTP_SPACING_SECONDS=0 monazite run --live",
        )
        say(
            console,
            "what comes from here may be made up and never gets into public/ (stop with Ctrl-C)",
        )
        console.file.flush()
        while True:
            # Ctrl-C may reach the server's thread, and must not wait for this one to wake.
            time.sleep(_LOOK_SECONDS)


def _module(name: str) -> Any:
    """A module of the emulator, which is part of the tests.

    :raises UsageError: it is not there.
    """
    if not (PROJECT_ROOT / "tests" / "emulator" / "app.py").is_file():
        raise UsageError(
            "the emulator is part of the tests, and they are not installed",
            where=str(PROJECT_ROOT),
            remedy="use monazite emulate in a clone of the project",
        )
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
    try:
        return import_module(f"{_PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the emulator needs {error.name}, which is not installed",
            where=_PACKAGE,
            remedy="set the environment up with make",
        ) from error
