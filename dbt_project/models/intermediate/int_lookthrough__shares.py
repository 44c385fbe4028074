"""Origins behind each importer's supply: every market solved in one go (pipelines.lookthrough)."""

from typing import Any

import pyarrow as pa

from pipelines.lookthrough import solve


def model(dbt: Any, session: Any) -> pa.RecordBatchReader:  # noqa: ARG001 - dbt hands it over
    """One row an importer, market, universe and origin."""
    dbt.config(materialized="table")
    thresholds = dbt.ref("ref_threshold").filter("scope = 'lookthrough'")
    least = dict(thresholds.project("rule_set, lower").fetchall())
    members = dbt.ref("dim_country").filter("is_eu27").project("country_iso3")
    frames = solve(
        dbt.ref("int_lookthrough__trade").pl(),
        dbt.ref("int_lookthrough__production").pl(),
        bloc="EU27",
        members=[country for (country,) in members.fetchall()],
        least_share=least["lookthrough_pair"],
        least_part=least["lookthrough_importer"],
    )
    schema = next(frames).to_arrow().schema
    batches = (batch for frame in frames for batch in frame.to_arrow().cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)
