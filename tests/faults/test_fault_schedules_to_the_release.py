"""Ten schedules of faults, up to the release: its facts are those of a home without faults.

All publishers of the emulator, from an empty home. Minutes each, so only in ``make test-all``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from pipelines.catalog import load_catalog
from pipelines.settings import PROJECT_ROOT, Settings
from tests.emulator.app import Emulator
from tests.emulator.faults import schedule
from tests.emulator.serving import serving
from tests.support.command import monazite_process
from tests.support.nights import Warehouse, patient
from tests.support.planted import Planted, forms, found_in

pytestmark = [pytest.mark.exhaustive, pytest.mark.slow]

NUMBERS = range(1000, 1010)
#: Where a row stands in a document: pages may be cut otherwise after a fault.
_PLACES = ("cell_id", "cell_ids", "document_name", "document_sha256", "row_number")

Facts = dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def port() -> int:
    """One port for all emulators, since documents are told by their address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Home:
    """A warehouse and the emulator that it asks."""

    house: Warehouse
    publishers: Emulator
    planted: Planted

    @property
    def sources(self) -> list[str]:
        return sorted(self.publishers.modules)

    def release(self) -> None:
        """A night of the command line in which nothing goes wrong."""
        self.house.next_day()
        done = monazite_process(
            "run",
            "--live",
            home=self.house.settings.root,
            timeout_seconds=1800,
            **patient(),
            **{f"MONAZITE_KEY_{s.upper()}": key for s, key in self.planted.items()},
            MONAZITE_HTTP_MIRROR=self.house.mirror,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]

    def connection(self) -> duckdb.DuckDBPyConnection:
        release = self.house.settings.release_dir / "current" / "monazite.duckdb"
        return duckdb.connect(str(release), read_only=True)

    def facts(self) -> Facts:
        """Rows of every fact table, and a hash of them in whatever order."""
        found: Facts = {}
        with self.connection() as connection:
            for table, columns in _columns(connection).items():
                if not table.startswith("fct_"):
                    continue
                told = ", ".join(f'"{name}"' for name in columns if name not in _PLACES)
                row = connection.execute(
                    f"select count(*), coalesce(sum(hash({told})), 0) from {table}"
                ).fetchone()
                assert row is not None
                found[table] = int(row[0]), int(row[1])
        return found

    def keys_in_release(self) -> list[str]:
        """Columns of the release in which a planted key stands."""
        found = []
        with self.connection() as connection:
            for table, columns in _columns(connection).items():
                texts = [name for name, kind in columns.items() if kind == "VARCHAR"]
                for form in {form for key in self.planted.values() for form in forms(key)}:
                    said = [f"""count(*) filter (contains("{name}", ?))""" for name in texts]
                    if not said:
                        continue
                    row = connection.execute(
                        f"select {', '.join(said)} from {table}", [form] * len(said)
                    ).fetchone()
                    assert row is not None
                    found += [f"{table}.{n}" for n, hits in zip(texts, row, strict=True) if hits]
        return found


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'main' and not internal order by all"
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


@contextmanager
def opened(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    catalog = load_catalog()
    keyed = [s.source_id for s in catalog.sources.values() if s.api.key is not None]
    planted = {source_id: f"pl4nted+{n}/of={source_id}" for n, source_id in enumerate(keyed)}
    for source_id, key in planted.items():
        monkeypatch.setenv(f"MONAZITE_KEY_{source_id.upper()}", key)
    publishers = Emulator()
    with serving(publishers, port=port) as mirror:
        settings = Settings(home=folder / "home", starter=PROJECT_ROOT / "starter")
        yield Home(Warehouse(settings, catalog, mirror), publishers, planted)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, port: int) -> Facts:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        opened(tmp_path_factory.mktemp("clean"), port, monkeypatch) as home,
    ):
        home.release()
        return home.facts()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_release_after_faults_has_the_facts_of_one_without(
    number: int, clean: Facts, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, port, monkeypatch) as home:
        home.publishers.faults.set(*schedule(number, home.publishers.hosts, most=12))
        home.house.night(home.sources)
        assert home.house.left_over() == []
        home.publishers.faults.lift()
        home.release()
        assert home.facts() == clean
        assert home.house.left_over() == []
        assert home.keys_in_release() == []
    assert found_in(tmp_path, home.planted) == []
