"""``monazite ui``: Dagster's webserver and daemon, on loopback only."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

from rich.console import Console

from pipelines.commands.display import say
from pipelines.commands.home import prepare_dagster_home, read_settings
from pipelines.commands.ports import LOOPBACK, refuse_taken
from pipelines.resources import dbt_project
from pipelines.settings import PROJECT_ROOT

__all__ = ["serve_ui"]


def serve_ui(console: Console, *, port: int) -> int:
    """Run until interrupted; the exit status of the webserver.

    :raises MonaziteError: the port is taken.
    """
    settings = read_settings()
    refuse_taken(port)
    prepare_dagster_home(settings)
    dbt_project(settings)  # made once here, so that no code server has to
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of beta features
        import dagster as dg

        from assets.publisher import show_known_partitions

        with dg.DagsterInstance.get() as instance:
            show_known_partitions(instance)
    say(console, f"http://{LOOPBACK}:{port}  (ready in half a minute; stop with Ctrl-C)")
    return subprocess.run(  # noqa: S603 - our own executable, no user input
        [
            str(Path(sys.executable).with_name("dagster")),
            "dev",
            "--workspace",
            str(PROJECT_ROOT / "workspace.yaml"),
            "--host",
            LOOPBACK,
            "--port",
            str(port),
        ],
        env=os.environ | {"MONAZITE_HOME": str(settings.root), "PYTHONWARNINGS": "ignore"},
        # Not in the project's folder: Dagster would warn about the dagster.yaml there.
        cwd=settings.dagster_dir,
        check=False,
    ).returncode
