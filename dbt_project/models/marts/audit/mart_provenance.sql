-- From every mart row to what it is made of: one row a source cell for measured documents; for bulk
-- trade one row a set of flows, named by a predicate on fct_trade_flow that gives exactly them. The
-- sets follow from the marts' own keys, so they are worked out when somebody asks.
with codes as (
    select
        coalesce(nullif(basket, ''), material) as material,
        stage,
        string_agg(
            distinct '''' || hs_code || '''', ', ' order by '''' || hs_code || ''''
        ) as hs_codes
    from {{ ref('ref_hs_material') }}
    where stage is not null
    group by all
),

concentration_flows as (
    {{ flow_evidence(
        'mart_concentration',
        'geo_iso3',
        'reconciled flows > shares > index',
        where="marts.flow_source is not null"
    ) }}
),

dependency_flows as (
    {{ flow_evidence(
        'mart_import_dependency',
        'importer_iso3',
        'reconciled flows > share of imports',
        where="marts.flow_source is not null",
        also="case
            when marts.partner_iso3 is null then ' and exporter_iso3 is null'
            else ' and exporter_iso3 = ''' || marts.partner_iso3 || ''''
        end"
    ) }}
),

flag_flows as (
    {{ flow_evidence(
        'mart_dependency_flags',
        'importer_iso3',
        'reconciled flows > shares > index > threshold',
        where="marts.flow_source is not null"
    ) }}
),

-- Every flow of a market moves the shares of everybody in it.
lookthrough_flows as (
    {{ flow_evidence(
        'mart_lookthrough',
        none,
        'reconciled flows > balance of every country > shares of who produced'
    ) }}
),

lookthrough_production as (
    select
        'mart_lookthrough' as mart,
        marts.row_key,
        cast(null as varchar) as cell_id,
        {{ production_predicate('marts') }} as row_set,
        marts.production_edition_id as source_edition_id,
        'production' as role,
        'as published > balance of every country > shares of who produced' as method_chain
    from {{ ref('mart_lookthrough') }} as marts
    inner join {{ ref('ref_chain_step') }} as steps
        on marts.material = steps.material and marts.stage = steps.stage
    where marts.production_edition_id is not null
),

-- What a balance is made of: imports, exports and production. What came in and went out of the
-- Union are flows of its members.
balances as (
    select * replace (flow_edition_id as source_edition_id)
    from {{ ref('mart_import_reliance') }}
    where flow_edition_id is not null
),

balance_evidence as (
    select
        marts.row_key,
        {{ flow_predicate('marts', 'importer_iso3') }} as row_set,
        marts.source_edition_id,
        'imports' as role
    from balances as marts
    inner join codes on marts.material = codes.material and marts.stage = codes.stage
    union all
    select
        marts.row_key,
        {{ flow_predicate('marts', 'importer_iso3', side='exporter_iso3') }} as row_set,
        marts.source_edition_id,
        'exports' as role
    from balances as marts
    inner join codes on marts.material = codes.material and marts.stage = codes.stage
    union all
    select
        marts.row_key,
        {{ production_predicate('marts') }} as row_set,
        marts.production_edition_id as source_edition_id,
        'production' as role
    from balances as marts
    inner join {{ ref('ref_chain_step') }} as steps
        on marts.material = steps.material and marts.stage = steps.stage
),

reliance_balances as (
    select
        'mart_import_reliance' as mart,
        row_key,
        cast(null as varchar) as cell_id,
        row_set,
        source_edition_id,
        role,
        'production + imports - exports > net imports over consumption' as method_chain
    from balance_evidence
),

dependency_balances as (
    select
        'mart_import_dependency' as mart,
        dependency.row_key,
        cast(null as varchar) as cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        'share of imports x net imports over consumption' as method_chain
    from {{ ref('mart_import_dependency') }} as dependency
    inner join balances
        using (importer_iso3, material, stage, reference_year, vintage_id)
    inner join balance_evidence as evidence on balances.row_key = evidence.row_key
    where dependency.import_reliance_source = 'computed'
),

coverage_balances as (
    select
        'mart_n1_coverage' as mart,
        coverage.row_key,
        cast(null as varchar) as cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        'production + imports - exports > supply without the largest supplier' as method_chain
    from {{ ref('mart_n1_coverage') }} as coverage
    inner join balance_evidence as evidence on coverage.reliance_key = evidence.row_key
),

-- Marts made of rows of mart_concentration rest on what those rest on.
concentration_parts as (
    select
        'mart_stage_bottleneck' as mart,
        row_key,
        unnest(concentration_keys) as concentration_key,
        ' > most concentrated stage' as last_step
    from {{ ref('mart_stage_bottleneck') }}
    union all
    select
        'mart_n1_coverage' as mart,
        row_key,
        concentration_key,
        ' > supply without the largest supplier' as last_step
    from {{ ref('mart_n1_coverage') }}
    union all
    select
        'mart_us_risk' as mart,
        row_key,
        concentration_key,
        ' > production concentration' as last_step
    from {{ ref('mart_us_risk') }}
    where concentration_key is not null
    union all
    select
        'mart_geopolrisk' as mart,
        row_key,
        concentration_key,
        ' > supply risk' as last_step
    from {{ ref('mart_geopolrisk') }}
    where concentration_key is not null
    union all
    select
        'mart_partner_share' as mart,
        row_key,
        concentration_key,
        ' > share of a set of countries' as last_step
    from {{ ref('mart_partner_share') }}
),

concentration_evidence as (
    select
        parts.mart,
        parts.row_key,
        evidence.cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        evidence.method_chain || parts.last_step as method_chain
    from concentration_parts as parts
    inner join (
        select *
        from concentration_flows
        union all
        select *
        from {{ ref('fct_provenance_cell') }}
        where mart = 'mart_concentration'
    ) as evidence
        on parts.concentration_key = evidence.row_key
),

demand_cells as (
    select
        'mart_n1_coverage' as mart,
        demands.row_key,
        demands.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'demand' as role,
        'as published > supply without the largest supplier' as method_chain
    from (
        select
            row_key,
            unnest([world_demand_cell_id, removed_demand_cell_id]) as cell_id
        from {{ ref('mart_n1_coverage') }}
    ) as demands
    inner join {{ ref('fct_source_cell') }} as cells on demands.cell_id = cells.cell_id
),

-- Marts that name the cells that they are made of.
named_cells as (
    select
        named.mart,
        named.row_key,
        named.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        named.role,
        named.method_chain
    from (
        select
            'mart_us_risk' as mart,
            row_key,
            unnest(cell_ids) as cell_id,
            'balance' as role,
            'as published > net import reliance' as method_chain
        from {{ ref('mart_us_risk') }}
        union all
        select
            'mart_stock_cover' as mart,
            row_key,
            unnest(cell_ids) as cell_id,
            'stock and balance' as role,
            'as published > days of cover' as method_chain
        from {{ ref('mart_stock_cover') }}
        union all
        select
            'mart_geopolrisk' as mart,
            row_key,
            unnest(governance_cell_ids) as cell_id,
            'governance' as role,
            'as published > instability of suppliers > supply risk' as method_chain
        from {{ ref('mart_geopolrisk') }}
    ) as named
    inner join {{ ref('fct_source_cell') }} as cells on named.cell_id = cells.cell_id
),

plan_rows as (
    select
        'mart_stock_cover' as mart,
        row_key,
        cast(null as varchar) as cell_id,
        'ref_stock_plan where plan_id = ''' || plan_id || ''' and form = ''' || form || ''''
            as row_set,
        source_edition_id,
        'plan' as role,
        'as published' as method_chain
    from {{ ref('mart_stock_cover') }}
    where stock_kind = 'potential'
),

geopolrisk_flows as (
    {{ flow_evidence(
        'mart_geopolrisk',
        'importer_iso3',
        'reconciled flows > share of supply > supply risk'
    ) }}
),

trend_flows as (
    {{ flow_evidence(
        'mart_trend',
        'geo_iso3',
        'reconciled flows > shares > index > slope over five years',
        where="marts.flow_source is not null",
        first_year='marts.reference_year - 4'
    ) }}
),

switch_flows as (
    {{ flow_evidence(
        'mart_supplier_switch',
        'importer_iso3',
        'reconciled flows > shares of two years > reallocation',
        first_year='marts.reference_year - 1'
    ) }}
),

exposure_flows as (
    {{ flow_evidence(
        'mart_policy_exposure',
        'importer_iso3',
        'reconciled flows > shares > controls of the day',
        where="marts.flow_source is not null"
    ) }}
),

event_flows as (
    {{ flow_evidence(
        'mart_event_impact',
        'importer_iso3',
        'reconciled flows > shares before and after > shift',
        where="marts.frequency = 'year'",
        first_year='marts.first_period',
        last_year='last_period'
    ) }}
),

event_reports as (
    select
        'mart_event_impact' as mart,
        marts.row_key,
        cast(null as varchar) as cell_id,
        'fct_trade_report where hs_code in (' || codes.hs_codes
        || ') and reporter_iso3 = ''' || marts.importer_iso3
        || ''' and flow = ''import'' and reference_month is not null'
        || ' and 12 * reference_year + reference_month - 1 between '
        || marts.first_period || ' and ' || marts.last_period as row_set,
        marts.source_edition_id,
        'monthly reports' as role,
        'reports > shares before and after > shift' as method_chain
    from {{ ref('mart_event_impact') }} as marts
    inner join codes on marts.material = codes.material and marts.stage = codes.stage
    where marts.frequency = 'month'
),

-- Months since a year before the first change that a score rests on.
alert_months as (
    select
        'mart_alerts' as mart,
        row_key,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        hs_code,
        national_code,
        12 * reference_year + reference_month - 48 as first_period,
        12 * reference_year + reference_month as last_period,
        source_edition_ids,
        source_edition_id,
        'reports > change on the year before > robust z' as method_chain
    from {{ ref('mart_alerts') }}
    union all
    select
        'mart_alert_series' as mart,
        row_key,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        hs_code,
        national_code,
        12 * first_year + first_month as first_period,
        12 * last_year + last_month as last_period,
        source_edition_ids,
        source_edition_id,
        'reports > change on the year before > latest robust z' as method_chain
    from {{ ref('mart_alert_series') }}
),

alert_reports as (
    select
        mart,
        row_key,
        cast(null as varchar) as cell_id,
        case
            when national_code is null
                then 'fct_trade_report where hs_code = ''' || hs_code || ''''
            else
                'fct_national_trade where national_code = ''' || national_code
                || ''' and source_edition_id in ('''
                || array_to_string(source_edition_ids, ''', ''') || ''')'
        end
        || ' and source_id = ''' || source_id
        || ''' and reporter_iso3 = ''' || reporter_iso3
        || ''' and partner_iso3 = ''' || partner_iso3
        || ''' and flow = ''' || flow
        || ''' and reference_month is not null'
        || ' and 12 * reference_year + reference_month between '
        || first_period || ' and ' || last_period as row_set,
        source_edition_id,
        'monthly reports' as role,
        method_chain
    from alert_months
),

-- Spare capacity, its parts and the price follow from the imports of everybody.
scenario_flows as (
    {{ flow_evidence(
        'mart_scenario_result',
        none,
        'reconciled flows > cut > offsets > gap'
    ) }}
),

single_codes as (
    select
        hs_code,
        '''' || hs_code || '''' as hs_codes
    from {{ ref('ref_hs_material') }}
),

claim_keys as (
    select
        row_key,
        computed_mart,
        unnest(computed_row_keys) as computed_key
    from {{ ref('mart_claims') }}
),

claim_evidence as (
    select
        'mart_claims' as mart,
        claims.row_key,
        evidence.cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        evidence.method_chain || ' > beside the claim' as method_chain
    from claim_keys as claims
    inner join (
        select *
        from concentration_flows
        union all
        select *
        from {{ ref('fct_provenance_cell') }}
        where mart in ('mart_concentration', 'mart_eu_supply_risk')
    ) as evidence
        on claims.computed_mart = evidence.mart and claims.computed_key = evidence.row_key
),

claim_cells as (
    select
        'mart_claims' as mart,
        claims.row_key,
        claims.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'published figure' as role,
        'as published > beside the claim' as method_chain
    from (
        select
            row_key,
            unnest(computed_cell_ids) as cell_id
        from {{ ref('mart_claims') }}
    ) as claims
    inner join {{ ref('fct_source_cell') }} as cells on claims.cell_id = cells.cell_id
),

product_flows as (
    {{ flow_evidence(
        'mart_product_content',
        'importer_iso3',
        'reconciled flows > weight x content',
        where="marts.content_method = 'code_range'",
        codes='single_codes'
    ) }}
),

-- Where the importer's own lines give the weight, the flows give the value alone.
product_values as (
    {{ flow_evidence(
        'mart_product_content',
        'importer_iso3',
        'reconciled flows > value',
        where="marts.content_method = 'national_line' and marts.flow_source is not null",
        first_year='marts.reference_year',
        codes='single_codes'
    ) }}
),

product_lines as (
    select
        'mart_product_content' as mart,
        row_key,
        cast(null as varchar) as cell_id,
        'fct_national_trade where source_edition_id in ('''
        || array_to_string(source_edition_ids, ''', ''')
        || ''') and reporter_iso3 = ''' || importer_iso3
        || ''' and flow = ''import'' and hs_code = ''' || hs_code
        || ''' and reference_year = ' || reference_year as row_set,
        source_edition_id,
        'national lines' as role,
        'lines of the importer > share of the family > weight x content' as method_chain
    from {{ ref('mart_product_content') }}
    where content_method = 'national_line'
),

unit_value_flows as (
    {{ flow_evidence(
        'mart_unit_value',
        'importer_iso3',
        'reconciled flows > value over weight > median > robust z',
        role='flows of five years',
        first_year='marts.reference_year - 4',
        codes='single_codes',
        also="' and exporter_iso3 = ''' || marts.exporter_iso3 || ''''"
    ) }}
),

mirror_flows as (
    select
        'mart_mirror_gap' as mart,
        row_key,
        cast(null as varchar) as cell_id,
        'fct_trade_report where hs_code = ''' || hs_code
        || ''' and reference_year = ' || reference_year
        || ' and ((reporter_iso3 = ''' || exporter_iso3
        || ''' and partner_iso3 = ''' || importer_iso3
        || ''' and flow = ''export'') or (reporter_iso3 = ''' || importer_iso3
        || ''' and partner_iso3 = ''' || exporter_iso3 || ''' and flow = ''import''))' as row_set,
        source_edition_id,
        'both reports' as role,
        'reports > freight taken off > ratio' as method_chain
    from {{ ref('mart_mirror_gap') }}
),

-- Another set of the trade parameter rests on the same shares, a group on those of its members.
supply_risk_parts as (
    select distinct
        'mart_eu_supply_risk' as mart,
        parts.row_key,
        evidence.cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        evidence.method_chain || parts.last_step as method_chain
    from (
        select
            row_key,
            unnest(evidence_row_keys) as evidence_row_key,
            case when formula = 'mean' then ' > mean of the members' else '' end as last_step
        from {{ ref('mart_eu_supply_risk') }}
        where formula = 'mean' or t_set != 'study'
    ) as parts
    inner join {{ ref('fct_provenance_cell') }} as evidence
        on
            evidence.mart = 'mart_eu_supply_risk'
            and parts.evidence_row_key = evidence.row_key
),

measures as (
    select * from {{ ref('fct_provenance_cell') }}
    union all
    select * from concentration_flows
    union all
    select * from dependency_flows
    union all
    select * from dependency_balances
    union all
    select * from flag_flows
    union all
    select * from mirror_flows
    union all
    select * from reliance_balances
    union all
    select * from concentration_evidence
    union all
    select * from coverage_balances
    union all
    select * from named_cells
    union all
    select * from geopolrisk_flows
    union all
    select * from trend_flows
    union all
    select * from switch_flows
),

-- A profile repeats rows of other marts and rests on what they rest on.
profile_parts as (
    select
        row_key,
        'mart_dependency_flags' as part,
        flags_key as part_key
    from {{ ref('mart_country_profile') }}
    union all
    select
        row_key,
        'mart_concentration' as part,
        unnest([concentration_key, production_key]) as part_key
    from {{ ref('mart_country_profile') }}
    union all
    select
        row_key,
        'mart_import_dependency' as part,
        dependency_key as part_key
    from {{ ref('mart_country_profile') }}
    union all
    select
        row_key,
        'mart_import_reliance' as part,
        reliance_key as part_key
    from {{ ref('mart_country_profile') }}
    union all
    select
        row_key,
        'mart_lookthrough' as part,
        unnest(lookthrough_keys) as part_key
    from {{ ref('mart_country_profile') }}
),

profile_evidence as (
    select
        'mart_country_profile' as mart,
        parts.row_key,
        evidence.cell_id,
        evidence.row_set,
        evidence.source_edition_id,
        evidence.role,
        evidence.method_chain || ' > side by side' as method_chain
    from profile_parts as parts
    inner join (
        select * from measures
        union all
        select * from lookthrough_flows
        union all
        select * from lookthrough_production
    ) as evidence
        on parts.part = evidence.mart and parts.part_key = evidence.row_key
),

-- A draw rests on what its measure rests on.
draws as (
    select
        'mart_uncertainty' as mart,
        uncertainty.row_key,
        measures.cell_id,
        measures.row_set,
        measures.source_edition_id,
        measures.role,
        measures.method_chain || ' > draws' as method_chain
    from {{ ref('mart_uncertainty') }} as uncertainty
    inner join measures
        on uncertainty.mart = measures.mart and uncertainty.mart_row_key = measures.row_key
)

select * from measures
union all
select * from supply_risk_parts
union all
select * from lookthrough_flows
union all
select * from lookthrough_production
union all
select * from demand_cells
union all
select * from plan_rows
union all
select * from exposure_flows
union all
select * from event_flows
union all
select * from event_reports
union all
select * from alert_reports
union all
select * from scenario_flows
union all
select * from profile_evidence
union all
select * from draws
union all
select * from claim_evidence
union all
select * from claim_cells
union all
select * from product_flows
union all
select * from product_values
union all
select * from product_lines
union all
select * from unit_value_flows
