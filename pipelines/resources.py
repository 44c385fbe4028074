"""What assets are handed: the warehouse's folders and the dbt project.

The lowest module that knows Dagster. The dbt manifest is made when it is missing or older than the
dbt project; that needs neither network nor database.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject

from pipelines.catalog import Catalog, load_catalog
from pipelines.errors import BuildFailed
from pipelines.settings import Settings

__all__ = ["Warehouse", "dbt_environment", "dbt_project", "dbt_resource"]


class Warehouse(dg.ConfigurableResource[None]):
    """Options of one night, and the way to settings and catalogue.

    :ivar live: ask the publishers; otherwise use what the archive holds.
    :ivar sources: bring in only these; empty means all.
    :ivar years: ask for these years only (a backfill of ``sources``); empty means what is new.
    :ivar editions: ask for these editions only, likewise.
    :ivar as_of: use only editions published by this ISO date; empty means all.
    """

    live: bool = False
    sources: list[str] = []  # noqa: RUF012 - a pydantic field, copied for every instance
    years: list[int] = []  # noqa: RUF012
    editions: list[str] = []  # noqa: RUF012
    as_of: str = ""

    @property
    def settings(self) -> Settings:
        """Where things are kept."""
        return Settings()

    @property
    def catalog(self) -> Catalog:
        """What is known about publishers."""
        return load_catalog()

    @property
    def as_of_date(self) -> date | None:
        """``as_of`` as a date."""
        return date.fromisoformat(self.as_of) if self.as_of else None

    def wants(self, source_id: str) -> bool:
        """Whether this source is to be brought in."""
        return not self.sources or source_id in self.sources


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Environment variables that the dbt project reads."""
    return {
        "MONAZITE_RAW": str(settings.build_dir / "raw"),
        "MONAZITE_BUILD_DB": str(settings.build_dir / "monazite.duckdb"),
        "MONAZITE_WORK_DB": str(settings.build_dir / "work.duckdb"),
        # Where dagster-dbt looks for what is parsed already.
        "DBT_TARGET_PATH": str(settings.root / "dbt"),
        "MONAZITE_THREADS": str(settings.threads),
        "MONAZITE_MEMORY_LIMIT": settings.memory_limit,
        # One thread solves linear systems, so that the last digits do not follow the machine.
        "OPENBLAS_NUM_THREADS": "1",
        "DO_NOT_TRACK": "1",
    }


def dbt_executable() -> str:
    """The dbt of this environment, whatever PATH says."""
    return str(Path(sys.executable).with_name("monazite-dbt"))


def _project_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".sql", ".py", ".yml", ".md", ".csv"} and "target" not in path.parts:
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def dbt_project(settings: Settings) -> DbtProject:
    """The dbt project with a manifest that fits it, parsing it where it does not.

    :raises BuildFailed: dbt cannot parse the project.
    """
    target = settings.root / "dbt"
    target.mkdir(parents=True, exist_ok=True)
    project = DbtProject(
        project_dir=settings.dbt_project_dir,
        profiles_dir=settings.dbt_project_dir,
        target_path=target,
    )
    stamp = target / "project.sha256"
    digest = _project_digest(settings.dbt_project_dir)
    known = stamp.read_text(encoding="ascii") if stamp.is_file() else ""
    if known != digest or not project.manifest_path.is_file():
        done = subprocess.run(  # noqa: S603 - our own executable, no user input
            [
                dbt_executable(),
                "--quiet",
                "parse",
                "--project-dir",
                str(settings.dbt_project_dir),
                "--profiles-dir",
                str(settings.dbt_project_dir),
                "--target-path",
                str(target),
                "--log-path",
                str(target / "logs"),
            ],
            env={**os.environ, **dbt_environment(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(
                f"dbt cannot parse the project: {(done.stdout + done.stderr)[-800:]}",
                where=str(settings.dbt_project_dir),
            )
        stamp.write_text(digest, encoding="ascii")
    return project


def dbt_resource(settings: Settings, project: DbtProject) -> DbtCliResource:
    """The resource that runs dbt on the build database."""
    return DbtCliResource(
        project_dir=project,
        profiles_dir=str(settings.dbt_project_dir),
        dbt_executable=dbt_executable(),
    )
