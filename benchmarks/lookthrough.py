"""Looking through beside repeated substitution in SQL, on generated trade.

::

    python benchmarks/lookthrough.py [--countries 200] [--materials 20] [--stages 4] [--years 30]

solves every market with the project's solver, as the build does, into a DuckDB table, and tells
seconds and the peak of memory. The named alternative is what can be written without a solver: the
balance put into itself again and again in SQL until no share moves by more than 1e-9, on a sample
of the same markets; the ratio is per market. Both give the same shares, which is checked. Last
figures: lookthrough.md.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cyclopts
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from pipelines.errors import MonaziteError
from pipelines.lookthrough import MARKET, solve

#: Rounds of substitution, and the change of a share at which they stop.
ROUNDS = 500
STOP = 1e-9
PRODUCERS = 15
EXPORTERS = 25
#: Part of the countries that an exporter delivers to.
REACH = 0.5

#: What each country has and made, as the method says; then one round of substitution.
PREPARE = """
create or replace table flows as
select exporter_iso3, importer_iso3, quantity from trade where exporter_iso3 != importer_iso3;
create or replace table has as
with net as (
    select country_iso3, sum(exports) as exports, sum(imports) as imports
    from (
        select exporter_iso3 as country_iso3, quantity as exports, 0 as imports from flows
        union all
        select importer_iso3, 0, quantity from flows
        union all
        select country_iso3, 0, 0 from production
    )
    group by all
)
select
    country_iso3,
    greatest(coalesce(floor, 0), exports - imports, 0) as made,
    greatest(coalesce(floor, 0), exports - imports, 0) + imports as has
from net left join production using (country_iso3);
create or replace table made as
select country_iso3 as origin, country_iso3 as holder, made / has as share from has where made > 0;
create or replace table rounds as from made;
"""
SUBSTITUTE = """
create or replace table again as
select origin, holder, sum(share) as share
from (
    from made
    union all
    select r.origin, f.importer_iso3 as holder, r.share * f.quantity / h.has as share
    from rounds as r
    inner join flows as f on r.holder = f.exporter_iso3
    inner join has as h on f.importer_iso3 = h.country_iso3
)
group by all
"""
MOVED = """
select coalesce(max(abs(again.share - coalesce(rounds.share, 0))), 0)
from again left join rounds using (origin, holder)
"""


def generate(
    countries: int, markets: int, seed: int = 20240131
) -> tuple[list[str], pl.DataFrame, pl.DataFrame]:
    """Codes, trade and production of markets in which a few countries produce and more export."""
    random = np.random.default_rng(seed)
    codes = [f"C{n:03}" for n in range(countries)]
    sends, takes, market, quantity = [], [], [], []
    made_by, made_in, made = [], [], []
    for n in range(markets):
        exporters = random.permutation(countries)[:EXPORTERS]
        pairs = random.random((EXPORTERS, countries)) < REACH
        rows, importers = np.nonzero(pairs)
        sends.append(exporters[rows])
        takes.append(importers)
        market.append(np.full(len(rows), n))
        quantity.append(random.lognormal(3, 2, len(rows)))
        made_by.append(exporters[:PRODUCERS])
        made_in.append(np.full(PRODUCERS, n))
        made.append(random.lognormal(9, 1.5, PRODUCERS))
    names = pl.Series(codes)
    trade = pl.DataFrame(
        {
            "market": np.concatenate(market),
            "exporter_iso3": names.gather(np.concatenate(sends)),
            "importer_iso3": names.gather(np.concatenate(takes)),
            "quantity": np.concatenate(quantity),
        }
    )
    production = pl.DataFrame(
        {
            "market": np.concatenate(made_in),
            "country_iso3": names.gather(np.concatenate(made_by)),
            "floor": np.concatenate(made),
        }
    ).with_columns(ceiling=pl.col("floor"), is_known=pl.lit(True))
    return codes, _keyed(trade), _keyed(production)


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """With the columns that tell markets apart: a market is a year here."""
    return rows.select(
        pl.lit("latest").alias("vintage_id"),
        pl.lit("generated").alias("material"),
        pl.lit("mine").alias("stage"),
        pl.col("market").alias("reference_year"),
        pl.exclude("market"),
    )


def solved(
    trade: pl.DataFrame, production: pl.DataFrame, members: list[str], database: Path
) -> duckdb.DuckDBPyConnection:
    """A database with the table ``shares``, written as the build writes it."""
    connection = duckdb.connect(database, config={"threads": 2, "memory_limit": "1GB"})
    frames = solve(
        trade, production, bloc="EU27", members=members, least_share=0.05, least_part=0.001
    )
    schema = next(frames).to_arrow().schema
    batches = (b for frame in frames for b in frame.to_arrow().cast(schema).to_batches())
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    connection.register("reader", reader)
    connection.execute("create table shares as from reader")
    return connection


def substituted(trade: pl.DataFrame, production: pl.DataFrame) -> pl.DataFrame:
    """The shares of one market by substitution in SQL."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("trade", trade.to_arrow())
        connection.register("production", production.to_arrow())
        connection.execute(PREPARE)
        for _ in range(ROUNDS):
            connection.execute(SUBSTITUTE)
            [(moved,)] = connection.execute(MOVED).fetchall()
            connection.execute("create or replace table rounds as from again")
            if moved <= STOP:
                break
        return connection.execute("from rounds").pl()


app = cyclopts.App(help=__doc__)


@app.default
def main(
    *, countries: int = 200, materials: int = 20, stages: int = 4, years: int = 30, sample: int = 5
) -> None:
    """Solve, compare and print."""
    markets = materials * stages * years
    codes, trade, production = generate(countries, markets)
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        connection = solved(trade, production, codes[:27], Path(folder) / "shares.duckdb")
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        [(rows,)] = connection.execute("select count(*) from shares").fetchall()
        slow, worst = 0.0, 0.0
        for market in range(sample):
            one = pl.col(MARKET[-1]) == market
            start = time.process_time()
            found = substituted(trade.filter(one), production.filter(one))
            slow += time.process_time() - start
            connection.register("found", found.to_arrow())
            [(apart,)] = connection.execute(
                "select max(abs(share - lookthrough_share)) from found inner join shares "
                "on origin = origin_iso3 and holder = importer_iso3 "
                "where universe = 'supply' and reference_year = ?",
                [market],
            ).fetchall()
            worst = max(worst, apart)
        connection.close()
    table = Table("figure", "value")
    table.add_row("markets", f"{markets:,}")
    table.add_row("flows", f"{len(trade):,}")
    table.add_row("rows written", f"{rows:,}")
    table.add_row("seconds", f"{wall:.1f}")
    table.add_row("seconds of CPU", f"{cpu:.1f}")
    table.add_row("peak memory, MB", f"{after.ru_maxrss / 1024:,.0f}")
    table.add_row("CPU a market, solver, ms", f"{1000 * cpu / markets:.1f}")
    table.add_row("CPU a market, SQL, ms", f"{1000 * slow / sample:.1f}")
    table.add_row("SQL over solver", f"{slow / sample * markets / cpu:.1f}")
    table.add_row("largest difference of a share", f"{worst:.1e}")
    Console().print(table)


if __name__ == "__main__":
    try:
        app()
    except MonaziteError as error:
        sys.exit(str(error))
