"""Jobs: what can be started as one run."""

from __future__ import annotations

import dagster as dg

__all__ = ["nightly"]

#: Everything: bring in, build, check, release. `monazite run` runs this job.
nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    description="Bring in what is new, build the warehouse, check it, make a release.",
    executor_def=dg.in_process_executor,
    tags={"monazite/job": "nightly"},
)
