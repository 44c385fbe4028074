"""Every dbt model, seed and test as an asset or check. The one step that writes the build database.

Nothing happens where no release is due: the step then yields no output, and what hangs on it is
skipped.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from pipelines.night import read_plan
from pipelines.progress import announce
from pipelines.resources import Warehouse, dbt_environment

__all__ = ["Translator", "warehouse_assets"]

#: One writer on the build database, across all runs.
POOL = "build_database"


class Translator(DagsterDbtTranslator):
    """Asset keys are table names; groups follow the folders of the dbt project."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The table's name, without schema or source."""
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """``seeds``, ``staging``, ``intermediate``, or the folder of the mart."""
        folders = dbt_resource_props["fqn"][1:-1]
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return {"marts": folders[-1]}.get(folders[0], folders[0]) if folders else "marts"


def warehouse_assets(project: DbtProject) -> dg.AssetsDefinition:
    """The dbt project as assets.

    Tests of seeds are left out: seeds are code, their tests belong to the test suite.
    """

    @dbt_assets(
        manifest=project.manifest_path,
        project=project,
        exclude="path:seeds,resource_type:test",
        dagster_dbt_translator=Translator(),
        name="warehouse",
        pool=POOL,
    )
    def warehouse_models(
        context: dg.AssetExecutionContext, warehouse: Warehouse, dbt: DbtCliResource
    ) -> Iterator[Any]:
        yield from _build(context, warehouse, dbt)

    return warehouse_models


def _build(
    context: dg.AssetExecutionContext, warehouse: Warehouse, dbt: DbtCliResource
) -> Iterator[Any]:
    settings = warehouse.settings
    if not read_plan(settings).is_due:
        context.log.info("nothing new: no model is built")
        return
    environment = dbt_environment(settings)
    # A build starts from nothing, so that no table of an earlier code survives.
    for database in ("MONAZITE_BUILD_DB", "MONAZITE_WORK_DB"):
        Path(environment[database]).unlink(missing_ok=True)
    announce("building the warehouse")
    target = settings.root / "dbt" / "runs" / context.run_id
    # dbt reads its paths from the environment of this process.
    os.environ.update(environment)
    try:
        yield from dbt.cli(["build"], context=context, target_path=target).stream()
    finally:
        shutil.rmtree(target, ignore_errors=True)
