# ruff: noqa: S608 - the statements are ours
"""The EU's supply risk recomputed, beside the study of 2023: writes docs/methods/eu-supply-risk.md.

::

    python benchmarks/eu_supply_risk.py            prints the comparison
    python benchmarks/eu_supply_risk.py --write    writes the page anew

Asks the current release of ``MONAZITE_HOME``; every figure of the page is one of its rows.
"""

from __future__ import annotations

from typing import Annotated

import cyclopts
import duckdb
from cyclopts import Parameter

from pipelines.publish.reader import open_release
from pipelines.settings import PROJECT_ROOT, Settings

PAGE = PROJECT_ROOT / "docs" / "methods" / "eu-supply-risk.md"
#: Differences beyond this (index points) are explained or listed as open.
TELLING = 0.5

_STUDY = """
    from mart_eu_supply_risk
    where vintage_id = 'latest' and is_study_formula and t_set = 'study'
"""
_ROWS = f"{_STUDY} and formula != 'mean'"

_TEXT = """# EU supply risk

How likely the EU's supply of a material is disturbed, in the method that the European Commission
has used since 2017, recomputed from the study's own shares and the World Bank's governance
indicators.
Table: `mart_eu_supply_risk`, one row a material, stage, formula, set of trade parameters (`t_set`)
and vintage. Not official: the published index stands beside it (`published_sr_stage`,
`published_sr_material`).

## Formula

```text
HHI_WGI = sum over countries of S^2 * WGI * t
SR      = (HHI_WGI_GS * IR/2 + HHI_WGI_EU * (1 - IR/2)) * (1 - EoL_RIR) * SI        GS+EU
SR      = HHI_WGI_GS * (1 - EoL_RIR) * SI                                           GS
SR of a material = the largest of its stages; of a group = the mean of its members           mean
```

| symbol | is | from |
|---|---|---|
| `S` | share of global supply (GS) or EU sourcing (EU), 0 to 1, mean of 2016 to 2020 | EU study |
| `WGI` | `wgi_risk`: mean of the six estimates, turned over, 0 (best) to 10 | World Bank |
| `t` | trade parameter: 0.8 to 1.5, above 1 with export restrictions | by `t_set`: see below |
| `IR` | import reliance of the EU, 0 to 1 | EU study (`ref_eu_supply_risk_input`) |
| `EoL_RIR` | end-of-life recycling input rate, 0 to 1 | likewise |
| `SI` | substitution index for supply risk, 0 to 1 | likewise |

Macros: `hhi_wgi(shares, risks, trade_parameters)`, `eu_supply_risk(gs, eu, ir, eol_rir, si)`,
`eu_group_mean(member_risks)`. For other trade parameters pass your own list. Lists of unlike length
or with a null or negative member, and a recycling rate outside 0 to 1, give null: a country left
out would understate the risk.

### Trade parameters

| `t_set` | `t` of a supplier is | from |
|---|---|---|
{sets}

The study prints a `t` beside each share. Which `t` an export tax, a quota, a ban or a licence has
is not held here, so the register's controls are not given a factor each: `register_low` and
`register_high` are the ends of what the study itself gives a restriction (1.1 and 1.5), and the
index of a restricted supply lies between them.

- The register is asked for the day of the vintage, at `latest` for the day of its last entry
  (`t_as_of_date`). What counts is in force on that day and bears on exports to all or to the EU;
  `control_event_ids` names it (`dim_control`). A control that covers a part of the goods counts as
  one that covers the whole.
- The register holds measures of China only. Restrictions of other states are those that the study
  knew (2016 to 2020); a later one (or the end of one) is in no set.
- Shares and governance stay those of the study: the sets say what the same supply is worth under
  other rules, not what it has become.
- Only `study` is set beside the published index.

## Edge cases

- `IR`, `EoL_RIR` and `SI` are held for rare earths and scandium. For all other materials the two
  concentration parts stand alone, `sr_stage` is null and `reason` says so.
- Where the study gives EU sourcing for heavy rare earths only as a group, the group's counts for
  its members (`is_eu_sourcing_of_group`).
- A share printed as a bound ("<0.1%") counts nothing; squared it would change nothing.
- `WGI` is (2.5 - mean) * 2 over the same years as the shares, held within 0 and 10.
- A country without governance indicators counts nothing; if such countries hold more than a
  twentieth of the supply, there is no index.
- A group has an index only if every member has one, at the stage (`sr_stage`) and over its stages
  (`sr_material`); `reason` names the members that have none. Shares that the study gives for the
  group itself (`formula` EU, heavy rare earths at the mine) do not make its index.
- At a vintage before the governance edition was published there is no index.

## Beside the study

{count} stages of {materials} materials for which all inputs are held; formula as the study states
it. Median difference {median:.2f} index points, rank correlation {rank:.2f}; {near} within 0.1,
{half} within 0.5.

{table}

Largest stage by material, where the study prints one index for the material: see
`published_sr_material`; it is held for {published} materials.

### Groups

The mean of the members at the stage, and of the largest stage of each (whole), both beside what the
study prints.

{groups}

### Differences beyond {telling} points, and what is open

{open}

## The concentration part of the other materials

{rest} stages for which recycling, substitution or import reliance are not held: what the shares
and governance alone give (index 0 to 10), beside the one index that the study prints for the
material.

{others}

## What export restrictions add

Materials with a control of the register in force, at `latest` (register as of {register_day}): the
index of the stage (SR), or where that has no inputs the concentration alone, by set.

{restricted}

## Example: processing of dysprosium

```sql
select
    material,
    stage,
    formula,
    round(hhi_wgi_gs, 3) as hhi_wgi_gs,
    eol_rir,
    substitution_index,
    round(sr_stage, 2) as recomputed,
    published_sr_stage as published
from mart_eu_supply_risk
where
    material in ('Dy', 'Ce') and stage = 'refining' and t_set = 'study'
    and is_study_formula and vintage_id = 'latest'
order by material
```

{example}

## Source

European Commission, Methodology for establishing the EU list of critical raw materials (2017);
Study on the critical raw materials for the EU 2023. Governance: World Bank, Worldwide Governance
Indicators.
"""


def page(connection: duckdb.DuckDBPyConnection) -> str:
    """The page, from a release."""
    told = connection.sql(
        f"""
        with beside as (
            select
                *,
                -- Of equal figures each has the mean rank.
                rank() over (order by round(sr_stage, 6))
                + (count(*) over (partition by round(sr_stage, 6)) - 1) / 2 as ours,
                rank() over (order by published_sr_stage)
                + (count(*) over (partition by published_sr_stage) - 1) / 2 as theirs
            {_ROWS} and difference is not null
        )
        select
            count(*) as count,
            count(distinct material) as materials,
            median(abs(difference)) as median,
            corr(ours, theirs) as rank,
            count(*) filter (where abs(difference) <= 0.1) as near,
            count(*) filter (where abs(difference) <= {TELLING}) as half
        from beside
        """
    ).fetchone()
    assert told is not None  # noqa: S101 - an aggregate has a row
    published = connection.sql(
        f"select count(distinct material) {_STUDY} and published_sr_material is not null"
    ).fetchone()
    rows = connection.sql(
        f"""
        select material, stage, formula, hhi_wgi_gs, hhi_wgi_eu, import_reliance, sr_stage,
            published_sr_stage, difference, deviation_note
        {_ROWS} and difference is not null
        order by stage desc, material
        """
    ).fetchall()
    means = connection.sql(
        f"""
        select material, stage, n_members, sr_stage, published_sr_stage, difference, sr_material,
            published_sr_material, difference_material, reason, deviation_note
        {_STUDY} and formula = 'mean'
        order by material, stage desc
        """
    ).fetchall()
    lines = [
        "| material | stage | formula | GS | EU | IR | recomputed | published | difference |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {m} | {s} | {f} | {_figure(gs)} | {_figure(eu)} | {_figure(ir)} | {_figure(sr)} "
            f"| {_figure(p)} | {d:+.2f} |"
            for m, s, f, gs, eu, ir, sr, p, d, _ in rows
        ),
    ]
    others = connection.sql(
        f"""
        select material, stage, max(hhi_wgi_gs), max(hhi_wgi_eu), max(published_sr_material)
        from mart_eu_supply_risk
        where vintage_id = 'latest' and t_set = 'study' and formula != 'mean'
            and (material, stage) not in (
                select (material, stage) {_STUDY} and sr_stage is not null
            )
        group by all
        order by material, stage
        """
    ).fetchall()
    other_lines = [
        "| material | stage | GS | EU | published for the material |",
        "|---|---|---|---|---|",
        *(
            f"| {m} | {s} | {_figure(gs)} | {_figure(eu)} | {_figure(p)} |"
            for m, s, gs, eu, p in others
        ),
    ]
    noted = [
        f"- {material}, {stage} ({sr:.2f} against {p:.1f}): {note}."
        for material, stage, _, _, _, _, sr, p, _, note in rows
        if note
    ] + [
        f"- {group}, {stage} ({sr:.2f} against {p:.2f}): {note}."
        for group, stage, _, sr, p, _, _, _, _, _, note in means
        if note
    ]
    group_lines = [
        "| group | n | stage | mean | published | difference | whole | published | difference |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {g} | {n} | {s} | {_figure(sr) or reason} | {_figure(p)} | {_change(d)} "
            f"| {_figure(whole)} | {_figure(pw)} | {_change(dw)} |"
            for g, s, n, sr, p, d, whole, pw, dw, reason, _ in means
        ),
    ]
    sets = connection.sql("select t_set, meaning, source from ref_eu_trade_set").fetchall()
    set_lines = [f"| `{name}` | {meaning} | {source} |" for name, meaning, source in sets]
    day, restricted_lines = _restricted(connection)
    count, materials, median, rank, near, half = told
    return _TEXT.format(
        count=count,
        materials=materials,
        median=median,
        rank=rank,
        near=near,
        half=half,
        table="\n".join(lines),
        published=published[0] if published else 0,
        telling=TELLING,
        rest=len(others),
        others="\n".join(other_lines),
        open="\n".join(noted),
        groups="\n".join(group_lines),
        sets="\n".join(set_lines),
        register_day=day,
        restricted="\n".join(restricted_lines),
        example=_kept_example(),
    )


def _restricted(connection: duckdb.DuckDBPyConnection) -> tuple[str, list[str]]:
    """Day of the register, and the table of what its controls add."""
    rows = connection.sql(
        """
        with risks as (
            select
                *,
                coalesce(sr_stage, hhi_wgi_gs, hhi_wgi_eu) as risk
            from mart_eu_supply_risk
            where vintage_id = 'latest' and is_study_formula
        )
        select
            material,
            stage,
            case
                when any_value(sr_stage) is not null then 'SR'
                when any_value(hhi_wgi_gs) is not null then 'GS'
                else 'EU'
            end as told,
            array_to_string(any_value(control_event_ids), ', ') as controls,
            max(risk) filter (where t_set = 'neutral') as neutral,
            max(risk) filter (where t_set = 'study') as study,
            max(risk) filter (where t_set = 'register_low') as low,
            max(risk) filter (where t_set = 'register_high') as high,
            max(t_as_of_date) as day
        from risks
        group by material, stage
        having bool_or(len(control_event_ids) > 0) and max(risk) is not null
        order by material, stage
        """
    ).fetchall()
    lines = [
        "| material | stage | | neutral | study | register_low | register_high | controls |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {material} | {stage} | {told} | {_figure(neutral)} | {_figure(study)} "
            f"| {_figure(low)} | {_figure(high)} | {controls} |"
            for material, stage, told, controls, neutral, study, low, high, _ in rows
        ),
    ]
    return str(max(row[-1] for row in rows)) if rows else "no day", lines


def _change(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _kept_example() -> str:
    """The result below the query as it stands; ``tests.support.doc_examples`` renews it."""
    if not PAGE.is_file():
        return "```text\n```"
    text = PAGE.read_text(encoding="utf-8")
    start = text.rindex("```text")
    return text[start : text.index("```", start + 3) + 3]


def main(*, write: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Print the page, or write it."""
    with open_release(Settings()) as connection:
        text = page(connection)
    if write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    cyclopts.run(main)
