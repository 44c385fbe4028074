"""Jobs: what can be started as one run.

A night is two runs: :data:`observe_publishers` asks everybody and archives what is new;
:data:`nightly` then makes what hangs on it. Where nothing is new there is no second run.
"""

from __future__ import annotations

import dagster as dg

__all__ = ["BACKFILLS", "PUBLISHERS", "nightly", "observe_publishers"]

#: The publishers themselves, and their archives by year or edition.
PUBLISHERS = dg.AssetSelection.groups("publishers", include_sources=True)
BACKFILLS = dg.AssetSelection.groups("archive")

#: Ask every publisher (live) or look at the archive. Each is a step of its own, one after another.
observe_publishers = dg.define_asset_job(
    "observe_publishers",
    selection=PUBLISHERS,
    description="Ask every publisher what is new, and archive it.",
    executor_def=dg.in_process_executor,
    tags={"monazite/job": "observe_publishers"},
)

#: Read what is new, build, check, release. `monazite run` runs both jobs in its own process.
nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all() - PUBLISHERS - BACKFILLS,
    description="Read what is new, build the warehouse, check it, make a release.",
    executor_def=dg.in_process_executor,
    tags={"monazite/job": "nightly"},
)
