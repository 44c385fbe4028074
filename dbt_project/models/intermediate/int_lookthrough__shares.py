"""Origins behind each importer's supply: every market solved in one go (pipelines.lookthrough)."""

from pipelines.lookthrough import solve


def model(dbt, session):  # noqa: ANN001, ANN201, ARG001 - dbt calls it and states no types
    """One row an importer, market and origin."""
    dbt.config(materialized="table")
    least = dict(
        dbt.ref("ref_threshold")
        .filter("scope = 'lookthrough'")
        .project("rule_set, lower")
        .fetchall()
    )
    members = dbt.ref("dim_country").filter("is_eu27").project("country_iso3")
    return solve(
        dbt.ref("int_lookthrough__trade").pl(),
        dbt.ref("int_lookthrough__production").pl(),
        bloc="EU27",
        members=[country for (country,) in members.fetchall()],
        least_share=least["lookthrough_pair"],
        least_part=least["lookthrough_importer"],
    ).to_arrow()
