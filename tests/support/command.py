"""The command line, in this process or in one of its own, as a user would call it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from pipelines.cli import main

__all__ = ["Outcome", "monazite", "monazite_process"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str
    raw: bytes

    @property
    def line(self) -> str:
        """The one line of an error; fails where there is not exactly one."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("monazite: ")
        assert "Traceback" not in self.err
        assert "should not happen" not in self.err
        assert lines[0].isprintable()
        return lines[0]


def monazite(*words: str | Path, home: Path, stdin: str = "", **environment: str) -> Outcome:
    """Run ``monazite`` with these words on the warehouse at ``home``; output is no terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    told = {"MONAZITE_HOME": str(home), "COLUMNS": "80", **environment}
    with (
        mock.patch.dict(os.environ, told),
        mock.patch("sys.stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main([str(word) for word in words])
        except SystemExit as left:
            status = left.code
    for stream in (out, err):
        stream.flush()
    assert isinstance(status, int)
    raw = out.buffer.getvalue()  # type: ignore[attr-defined]
    text = err.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    return Outcome(status, raw.decode("utf-8", errors="replace"), text, raw)


def monazite_process(
    *words: str | Path,
    home: Path,
    stdin: bytes | None = None,
    timeout_seconds: float = 400,
    **environment: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run ``monazite`` as a program."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("monazite")), *map(str, words)],
        env={**os.environ, "MONAZITE_HOME": str(home), **environment},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=timeout_seconds,
    )
