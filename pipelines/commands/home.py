"""Where a warehouse lives: its settings, and its Dagster instance."""

from __future__ import annotations

import os
import shutil

from pipelines.errors import MonaziteError
from pipelines.settings import PROJECT_ROOT, Settings, read

__all__ = ["be_quiet", "prepare_dagster_home", "read_settings"]


def read_settings() -> Settings:
    """The settings of this process.

    :raises UsageError: environment or ``monazite.toml`` say something that cannot be.
    """
    return read(Settings)


def prepare_dagster_home(settings: Settings) -> None:
    """Make ``MONAZITE_HOME/dagster`` the Dagster instance, with the project's ``dagster.yaml``.

    Without an instance folder Dagster would keep nothing and send telemetry.

    :raises MonaziteError: the folder cannot be written.
    """
    folder = settings.dagster_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT_ROOT / "dagster.yaml", folder / "dagster.yaml")
    except OSError as error:
        raise MonaziteError(
            f"cannot write: {error.strerror}",
            where=str(error.filename or folder),
            remedy="point MONAZITE_HOME to a folder that can be written",
        ) from error
    os.environ["DAGSTER_HOME"] = str(folder)
    be_quiet()


def be_quiet() -> None:
    """Switch off the telemetry of the libraries; to be called before they are imported."""
    os.environ |= {
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }
