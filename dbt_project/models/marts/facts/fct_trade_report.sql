-- What one side said about a flow: a reporter's import or export, in the reporter's own valuation.
-- Breakdown rows beside a total are left in staging; the total is the row that counts. So are the
-- rows of a revised extract: what a reporter took back would otherwise stand beside its revision.
with newest_revision as (
    select source_edition_id
    from {{ ref('dim_edition') }}
    qualify
        row_number() over (
            partition by source_id, edition_label
            order by edition_revision desc, source_edition_id desc
        ) = 1
),

comtrade as (
    select
        cells.source_edition_id,
        'un_comtrade' as source_id,
        reporters.country_iso3 as reporter_iso3,
        cells.reporter_code as reporter_reported,
        partners.country_iso3 as partner_iso3,
        cells.partner_code as partner_reported,
        partners.area_type as partner_area_type,
        case cells.flow_code
            when 'M' then 'import'
            when 'X' then 'export'
            when 'RM' then 're_import'
            when 'RX' then 're_export'
            else lower(cells.flow_code)
        end as flow,
        cells.hs_code,
        cells.classification as hs_revision,
        cells.code_level,
        cells.reference_year,
        cells.reference_month,
        -- Most report imports CIF; some (Canada, Mexico, South Africa) FOB, and give no CIF value.
        case
            when cells.flow_code = 'X' then 'fob'
            when cells.flow_code != 'M' then 'other'
            when cells.cif_value_usd is null and cells.fob_value_usd is not null then 'fob'
            else 'cif'
        end as valuation,
        cells.primary_value_usd as trade_value_usd,
        cells.fob_value_usd,
        cells.net_weight_kg,
        coalesce(cells.is_net_weight_estimated, false) as is_weight_estimated,
        cells.document_name,
        cells.row_number
    from {{ ref('stg_un_comtrade__trade') }} as cells
    inner join {{ ref('country__un') }} as reporters
        on cells.reporter_code = reporters.country_label
    inner join {{ ref('country__un') }} as partners
        on cells.partner_code = partners.country_label
    where
        cells.is_total
        and cells.source_edition_id in (select source_edition_id from newest_revision)
),

dataweb_cells as (
    select
        cells.source_edition_id,
        countries.country_iso3 as partner_iso3,
        cells.country_label as partner_reported,
        countries.area_type as partner_area_type,
        cells.flow,
        cells.hts_code,
        cells.code_level,
        cells.reference_year,
        cells.valuation_text,
        cells.measure,
        cells.quantity_unit_text,
        cells.value,
        cells.document_name,
        cells.row_number
    from {{ ref('stg_usitc_dataweb__trade') }} as cells
    inner join {{ ref('country__usitc') }} as countries
        on cells.country_label = countries.country_label
    where
        not cells.is_year_to_date
        and cells.value_flag in ('reported', 'zero')
        and cells.source_edition_id in (select source_edition_id from newest_revision)
),

dataweb as (
    select
        source_edition_id,
        'usitc_dataweb' as source_id,
        'USA' as reporter_iso3,
        'United States' as reporter_reported,
        any_value(partner_iso3) as partner_iso3,
        partner_reported,
        any_value(partner_area_type) as partner_area_type,
        flow,
        hts_code as hs_code,
        'HTS' as hs_revision,
        any_value(code_level) as code_level,
        reference_year,
        cast(null as smallint) as reference_month,
        case flow when 'import' then 'customs' else 'fas' end as valuation,
        sum(value) filter (where measure = 'value_usd') as trade_value_usd,
        cast(null as double) as fob_value_usd,
        -- A weight that covers only part of the value would give a wrong unit value.
        case
            when
                bool_and(lower(quantity_unit_text) like '%kilogram%')
                filter (where measure = 'value_usd')
                then
                    sum(value) filter (
                        where measure = 'quantity' and lower(quantity_unit_text) like 'kilogram%'
                    )
        end as net_weight_kg,
        false as is_weight_estimated,
        min(document_name) as document_name,
        min(row_number) as row_number
    from dataweb_cells
    group by
        source_edition_id, partner_reported, flow, hts_code, reference_year
    having sum(value) filter (where measure = 'value_usd') > 0
)

select * from comtrade
union all
select * from dataweb
