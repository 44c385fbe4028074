"""A warehouse of its own for a test: a folder, a small catalogue and two small readers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

import pipelines.sources
from pipelines.archive.store import Archive
from pipelines.catalog import Catalog, load_catalog
from pipelines.settings import Settings

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "house"
READERS = ("toy_mine", "toy_bulk")
PRODUCTION = "raw_toy_mine__production"


@dataclass(frozen=True)
class House:
    """Where a test keeps its warehouse."""

    folder: Path
    settings: Settings
    catalog: Catalog
    readers: Path

    @property
    def archive(self) -> Archive:
        return Archive(self.settings.archive_dir)

    def document(self, name: str, rows: int = 40, *, first: float = 1.0) -> Path:
        """A document of ``toy_mine`` with invented figures."""
        lines = [f"Country {n},tin,{first + n}" for n in range(rows)]
        return self.write(name, "\n".join(["country,commodity,value", *lines]) + "\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, table: str) -> pl.DataFrame:
        """All rows of a raw table, as a build would read them."""
        return pl.concat(
            [pl.read_parquet(p) for p in sorted((self.settings.raw_dir / table).glob("*.parquet"))]
        )

    def change_reader(self, source_id: str, old: str, new: str) -> None:
        """Change the code of a reader, as a new version of the project would."""
        path = self.readers / f"{source_id}.py"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.forget_readers()

    def forget_readers(self) -> None:
        for name in READERS:
            sys.modules.pop(f"pipelines.sources.{name}", None)
            vars(pipelines.sources).pop(name, None)

    def tree(self) -> dict[str, bytes]:
        """Every file of the warehouse but locks, by name."""
        return {
            p.relative_to(self.settings.root).as_posix(): p.read_bytes()
            for p in sorted(self.settings.root.rglob("*"))
            if p.is_file() and p.name != ".lock"
        }


def make_house(folder: Path) -> House:
    """A warehouse below ``folder``; the caller puts ``readers`` on the path of the readers."""
    readers = folder / "readers"
    catalogue = folder / "catalogue"
    readers.mkdir(parents=True)
    catalogue.mkdir()
    for name in READERS:
        shutil.copy(FIXTURES / f"{name}.py", readers)
        shutil.copy(FIXTURES / f"{name}.yml", catalogue)
    settings = Settings(home=folder / "home", starter=folder / "starter")
    return House(folder, settings, load_catalog(catalogue), readers)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """An empty warehouse with the sources ``toy_mine`` and ``toy_bulk``."""
    made = make_house(tmp_path)
    # Bytecode is told from its source by second and size: a reader may change and keep both.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(
        pipelines.sources, "__path__", [*pipelines.sources.__path__, str(made.readers)]
    )
    made.forget_readers()
    yield made
    made.forget_readers()
