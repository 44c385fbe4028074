"""Settings: environment first, then ``monazite.toml``; secrets from the environment only.

Every path hangs below ``MONAZITE_HOME`` (default ``data/`` beside the code), so that a house can
keep several warehouses and a test can have its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from pipelines.errors import UsageError

__all__ = ["PROJECT_ROOT", "Settings", "read"]

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where things are kept and how hard the machine may work.

    Environment variables carry the prefix ``MONAZITE_`` (``MONAZITE_HOME``, ``MONAZITE_THREADS``).
    """

    model_config = SettingsConfigDict(
        env_prefix="MONAZITE_", toml_file=PROJECT_ROOT / "monazite.toml", extra="ignore"
    )

    home: Path = Field(default=PROJECT_ROOT / "data", description="folder that holds everything")
    threads: int = Field(default=2, ge=1, description="threads that DuckDB and dbt may use")
    memory_limit: str = Field(default="4GB", description="memory that DuckDB may use")
    keep_releases: int = Field(default=5, ge=1, description="how many releases are kept")
    fetch: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="what is asked of single publishers: [fetch.<source>] of monazite.toml",
    )
    starter: Path = Field(default=PROJECT_ROOT / "starter", description="the archive of a clone")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, ``monazite.toml``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @cached_property
    def root(self) -> Path:
        """``MONAZITE_HOME`` as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def archive_dir(self) -> Path:
        """The publishers' bytes."""
        return self.root / "archive"

    @property
    def raw_dir(self) -> Path:
        """One Parquet a table and edition."""
        return self.root / "raw"

    @property
    def quarantine_dir(self) -> Path:
        """Rows that were not let in, each with its reason."""
        return self.root / "quarantine"

    @property
    def build_dir(self) -> Path:
        """The database that dbt writes; one writer, never served."""
        return self.root / "build"

    @property
    def release_dir(self) -> Path:
        """Finished releases and the link ``current``."""
        return self.root / "release"

    @property
    def fetch_dir(self) -> Path:
        """What fetching remembers between nights, one folder a source: requests, whole answers."""
        return self.root / "fetch"

    @property
    def dagster_dir(self) -> Path:
        """``DAGSTER_HOME``: run history of this warehouse."""
        return self.root / "dagster"

    @property
    def dbt_project_dir(self) -> Path:
        """The dbt project."""
        return PROJECT_ROOT / "dbt_project"

    @property
    def seeds_dir(self) -> Path:
        """Reference data: maps of labels, units, countries, thresholds."""
        return self.dbt_project_dir / "seeds"


Kind = TypeVar("Kind", bound=BaseSettings)


def read(kind: type[Kind], *, shown: Callable[[str], str] = str) -> Kind:
    """Settings of ``kind``, from environment and ``monazite.toml``.

    :param shown: how a refused value may be shown; secrets never are.
    :raises UsageError: environment or file say something that cannot be.
    """
    prefix = str(kind.model_config.get("env_prefix", ""))
    place = str(PROJECT_ROOT / "monazite.toml")
    header = kind.model_config.get("pyproject_toml_table_header", ())
    table = f"{place}, [{header[-1]}]" if header else place
    try:
        return kind()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "_".join(str(part) for part in first["loc"])
        option = str(first["loc"][0]) if first["loc"] else ""
        field = kind.model_fields.get(option)
        is_secret = field is not None and SecretStr.__name__ in str(field.annotation)
        given = "what is given" if is_secret else repr(shown(str(first["input"]))[:80])
        failure = UsageError(
            f"setting {name} cannot be {given}: {first['msg']}",
            remedy=f"mend {(prefix + option).upper()} in the environment, or {option} in {table}",
        )
    except SettingsError as error:
        # A list in the environment is written as JSON.
        failure = UsageError(
            f"settings cannot be read: {error}",
            where="environment",
            remedy=f'write lists as ["a", "b"] in {prefix}*',
        )
    except tomllib.TOMLDecodeError as error:
        failure = UsageError(f"settings cannot be read: {error}", where=place)
    # Outside the except clauses: what was refused may hold a password.
    raise failure
