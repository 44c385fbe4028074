-- Suppliers of the indices that weigh shares by governance, with the governance that they are
-- weighed by and its standard error. A mean over indicators and years has the mean of their
-- errors: the same experts err alike in all. Where the edition holds no error, it is the typical
-- one.
with errors as (
    select
        editions.vintage_id,
        countries.country_iso3,
        cells.reference_year,
        max(cells.value) filter (where cells.indicator = 'pv') as stability_error,
        list_avg(list(cells.value order by cells.cell_id)) as mean_error
    from {{ ref('stg_wb_wgi__estimate') }} as cells
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on cells.source_edition_id = editions.source_edition_id
    inner join {{ ref('country__wgi') }} as countries
        on cells.country_label = countries.country_label
    where
        editions.source_id = 'wb_wgi' and editions.recency = 1
        and cells.measure = 'stddev' and cells.value is not null
        and countries.country_iso3 is not null
    group by editions.vintage_id, countries.country_iso3, cells.reference_year
),

governance as (
    select
        risks.vintage_id,
        risks.country_iso3,
        risks.reference_year,
        risks.political_stability,
        risks.mean_estimate,
        coalesce(errors.stability_error, {{ uncertainty_setting('stability_error') }})
            as stability_error,
        coalesce(errors.mean_error, {{ uncertainty_setting('governance_error') }}) as mean_error
    from {{ ref('int_governance__risk') }} as risks
    left join errors using (vintage_id, country_iso3, reference_year)
),

-- The index is linear in share squared times risk: every supplier's part of the formula.
studied as (
    select
        marts.row_key,
        marts.vintage_id,
        marts.formula,
        suppliers.scope,
        suppliers.country_iso3,
        suppliers.share,
        suppliers.trade_parameter,
        suppliers.period_start_year,
        suppliers.reference_year,
        suppliers.cell_id,
        (1 - marts.eol_rir) * marts.substitution_index as filter_of_risk,
        least(1.0, greatest(0.0, marts.import_reliance)) / 2 as weight_of_world
    from {{ ref('mart_eu_supply_risk') }} as marts
    inner join {{ ref('int_eu_supply_risk__supplier') }} as suppliers
        on
            marts.vintage_id = suppliers.vintage_id
            and marts.material = suppliers.material
            and marts.stage = suppliers.stage
            and (marts.formula != 'GS' or suppliers.scope = 'world')
            and (marts.formula != 'EU' or suppliers.scope = 'eu')
    where
        marts.sr_stage is not null
        -- A group is the mean of its members, and other trade parameters err as the study's do.
        and marts.t_set = 'study'
        and marts.formula != 'mean'
        and suppliers.governance_risk is not null
),

of_study as (
    select
        studied.*,
        means.estimate,
        means.standard_error
    from studied
    inner join lateral (
        select
            list_avg(list(governance.mean_estimate order by governance.reference_year))
                as estimate,
            list_avg(list(governance.mean_error order by governance.reference_year))
                as standard_error
        from governance
        where
            governance.vintage_id = studied.vintage_id
            and governance.country_iso3 = studied.country_iso3
            and governance.reference_year
            between studied.period_start_year and studied.reference_year
    ) as means on true
)

select
    'mart_eu_supply_risk' as mart,
    of_study.row_key as mart_row_key,
    of_study.country_iso3,
    of_study.scope || ' share|' || of_study.country_iso3 as error_key,
    of_study.reference_year,
    of_study.share as quantity,
    by_grade.sigma_ln,
    -- Relative, because the model may hold the share in another unit than the cell.
    of_study.share
    * {{ half_unit('cells.value_text', 'true', uncertainty_setting('least_digits')) }}
    / cells.value as half_width,
    -- On the scale of wgi_risk, 0 to 10.
    10 * of_study.trade_parameter * of_study.filter_of_risk
    * case
        when of_study.formula != 'GS+EU' then 1
        when of_study.scope = 'world' then of_study.weight_of_world
        else 1 - of_study.weight_of_world
    end as weight,
    of_study.estimate,
    of_study.standard_error
from of_study
inner join {{ ref('fct_source_cell') }} as cells on of_study.cell_id = cells.cell_id
inner join {{ ref('ref_uncertainty') }} as by_grade
    on by_grade.subject = 'published_share' and by_grade.evidence_grade = 'C'
union all
select
    'mart_geopolrisk' as mart,
    marts.row_key as mart_row_key,
    suppliers.supplier_iso3 as country_iso3,
    suppliers.error_key,
    suppliers.reference_year,
    suppliers.quantity,
    suppliers.sigma_ln,
    suppliers.half_width,
    1.0 as weight,
    governance.political_stability as estimate,
    case when governance.political_stability is not null then governance.stability_error end
        as standard_error
from {{ ref('mart_geopolrisk') }} as marts
inner join {{ ref('int_uncertainty__list') }} as lists
    on
        lists.scope = 'import_sources'
        and lists.basis = 'gross_t'
        and marts.vintage_id = lists.vintage_id
        and marts.importer_iso3 = lists.geo_iso3
        and marts.material = lists.material
        and marts.stage = lists.stage
        and marts.reference_year = lists.reference_year
inner join {{ ref('int_uncertainty__supplier') }} as suppliers
    on
        lists.list_key = suppliers.list_key
        -- Its own goods that come back are in its production.
        and suppliers.supplier_iso3 is distinct from marts.importer_iso3
left join governance
    on
        marts.vintage_id = governance.vintage_id
        and suppliers.supplier_iso3 = governance.country_iso3
        and marts.reference_year = governance.reference_year
where
    marts.supply_risk_high is not null
    -- Of a range nothing is known between its ends.
    and marts.production_gross_t_low = marts.production_gross_t_high
