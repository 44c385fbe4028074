"""``monazite-dbt``: dbt, but telling its version from what is installed.

dagster-dbt asks ``dbt --version`` at every start, and dbt then asks the package index for news: a
look-up that no house has agreed to, and seconds of waiting without a network.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

__all__ = ["main"]


def main() -> None:
    """Entry point: the version from the package's metadata, everything else as dbt does it."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"Core:\n  - installed: {version('dbt-core')}\n")
        return
    from dbt.cli.main import cli

    cli()
