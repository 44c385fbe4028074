"""A zip of gigabytes is fetched, archived and read in little memory."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.baci import write_zip_of_baci

NAME = "BACI_HS96_V202601.zip"
MEGABYTE = 1024**2
#: What the night does for this source, in a process whose memory is its own.
NIGHT = """
import json, sys
from pathlib import Path
from pipelines.catalog import load_catalog
from pipelines.night import bring_in
from pipelines.settings import Settings

settings = Settings(home=Path(sys.argv[1]), fetch={"cepii_baci": {"revisions": ["HS96"]}})
results = bring_in(settings, load_catalog(), "cepii_baci", live=True)
# Not ru_maxrss: it outlives exec, and so begins with what the parent held.
with open("/proc/self/status") as status:
    (line,) = [line for line in status if line.startswith("VmHWM")]
peak = int(line.split()[1]) * 1024
print(json.dumps({"refused": [r.refused for r in results], "peak": peak}))
"""


@dataclass(frozen=True)
class Night:
    """What a night left.

    :ivar peak: the most memory that it held, in bytes.
    """

    peak: int
    archived: Path
    trade: pl.LazyFrame


def night(home: Path, address: str) -> Night:
    done = subprocess.run(
        [sys.executable, "-c", NIGHT, str(home)],
        env={**os.environ, "MONAZITE_HTTP_MIRROR": address, "MONAZITE_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["refused"] == [None]
    (archived,) = (
        p for p in (home / "archive").rglob("*") if p.is_file() and p.stat().st_size > MEGABYTE
    )
    trade = pl.scan_parquet(home / "raw" / "raw_cepii_baci__trade" / "cepii_baci-*.parquet")
    return Night(told["peak"], archived, trade)


@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(), reason="the peak of memory is read from /proc"
)
@pytest.mark.parametrize(
    ("bytes_a_year", "years", "limit"),
    [
        pytest.param(50 * MEGABYTE, 4, 450 * MEGABYTE, marks=pytest.mark.slow, id="200MB"),
        pytest.param(256 * MEGABYTE, 12, 500 * MEGABYTE, marks=pytest.mark.exhaustive, id="3GB"),
    ],
)
def test_a_zip_is_brought_after_a_cut_and_read_in_little_memory(
    tmp_path: Path, bytes_a_year: int, years: int, limit: int
) -> None:
    zipped = tmp_path / NAME
    kept = write_zip_of_baci(
        zipped, revision="HS96", years=range(2000, 2000 + years), bytes_a_year=bytes_a_year
    )
    emulator = Emulator(only=("cepii_baci",))
    cut = zipped.stat().st_size // 3
    emulator.world["cepii_baci"]["files"] = {NAME: zipped}
    emulator.world["cepii_baci"]["cut_after"] = {NAME: cut}
    with serving(emulator) as address:
        brought = night(tmp_path / "home", address)
    asked = [r for r in emulator.requests if r.path.endswith(NAME) and r.method == "GET"]
    # What lay in the sockets when the connection broke is lost, and on a busy machine a second
    # connection may break too; but nobody begins again.
    assert len(asked) > 1
    resumed_at = int(asked[1].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert cut / 2 < resumed_at <= cut + MEGABYTE
    assert all("range" in r.headers for r in asked[1:])
    with zipped.open("rb") as ours, brought.archived.open("rb") as theirs:
        assert hashlib.file_digest(ours, "sha256").digest() == (
            hashlib.file_digest(theirs, "sha256").digest()
        )
    assert brought.trade.select(pl.len()).collect().item() == kept
    assert brought.peak < limit, f"{brought.peak / MEGABYTE:.0f} MB"
