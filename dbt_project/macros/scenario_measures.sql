{#-
    What a supply cut would leave importers without, as a table macro on mart_import_dependency (or
    on any table with its columns). Formula, limits and examples: docs/methods/scenario.md.

    A scenario, not a forecast: nobody reacts but through the parameters.
-#}
{% macro create_scenario_measures() -%}
    {%- do run_query(
        "create or replace macro " ~ target.schema ~ ".ln_price_change(gap, demand, elasticity) as
            case
                when gap is null or not demand > 0 or not elasticity > 0 then null
                when gap < demand then -ln(1 - gap / demand) / elasticity
            end"
    ) %}
    {%- do run_query(
        "create or replace macro " ~ target.schema ~ ".cover_days(stock, imports_per_year) as
            case when imports_per_year > 0 then 365.0 * stock / imports_per_year end"
    ) %}
    {%- do run_query(
        "create or replace macro " ~ target.schema ~ ".scenario(
            cut_countries,
            material_id,
            stage_id,
            year,
            fraction := 1.0,
            months := 12.0,
            spare_capacity := 0.0,
            stock_months := 0.0,
            partners := [],
            quantity_basis := 'gross_t',
            elasticity_low := 0.2,
            elasticity_high := 1.0,
            vintage := 'latest',
            dependency := 'mart_import_dependency'
        ) as table
        with chosen as (
            select
                importer_iso3,
                partner_iso3,
                import_reliance,
                flow_source,
                source_edition_id,
                case quantity_basis when 'usd' then imports_usd else imports_gross_t end
                * months / 12.0 as imports
            from query_table(dependency)
            where
                material = material_id
                and stage = stage_id
                and reference_year = year
                and basis = quantity_basis
                and vintage_id = vintage
        ),
        by_importer as (
            select
                importer_iso3,
                sum(imports) as imports,
                any_value(import_reliance) as import_reliance,
                any_value(flow_source) as flow_source,
                any_value(source_edition_id) as source_edition_id,
                coalesce(
                    sum(imports) filter (where list_contains(cast(cut_countries as varchar []), partner_iso3)), 0
                ) * least(1.0, greatest(0.0, fraction)) as loss,
                -- The EU is its members once more: it gets what they get, and counts in no total.
                importer_iso3 = 'EU27' as is_total,
                list_contains(cast(partners as varchar []), importer_iso3) as is_served_first
            from chosen
            group by importer_iso3
        ),
        world as (
            select
                sum(loss) filter (where not is_total) as loss,
                coalesce(sum(loss) filter (where not is_total and is_served_first), 0)
                    as loss_first,
                sum(imports) filter (where not is_total) as imports,
                greatest(0.0, spare_capacity) * coalesce(
                    (
                        select sum(imports)
                        from chosen
                        where
                            importer_iso3 != 'EU27'
                            and not list_contains(cast(cut_countries as varchar []), coalesce(partner_iso3, ''))
                    ),
                    0
                ) as spare
            from by_importer
        ),
        served as (
            select
                importers.*,
                world.loss as world_loss,
                world.imports as world_imports,
                importers.loss * case
                    when importers.is_served_first
                        then least(1.0, world.spare / nullif(world.loss_first, 0))
                    else
                        least(
                            1.0,
                            greatest(0.0, world.spare - world.loss_first)
                            / nullif(world.loss - world.loss_first, 0)
                        )
                end as from_spare_raw
            from by_importer as importers
            cross join world
        ),
        stocked as (
            select
                *,
                coalesce(from_spare_raw, 0) as offset_spare,
                least(
                    greatest(0.0, loss - coalesce(from_spare_raw, 0)),
                    greatest(0.0, stock_months) * imports / nullif(months, 0)
                ) as offset_stock
            from served
        ),
        gaps as (
            select
                *,
                greatest(0.0, loss - offset_spare - offset_stock) as gap
            from stocked
        )
        select
            importer_iso3,
            imports as imports_quantity,
            loss as loss_quantity,
            offset_spare as offset_spare_quantity,
            offset_stock as offset_stock_quantity,
            gap as gap_quantity,
            gap / nullif(imports, 0) as gap_share_of_imports,
            gap / nullif(imports, 0) * import_reliance as gap_share_of_consumption,
            -- How long the stock would carry the loss that spare capacity does not make up for.
            case
                when loss - offset_spare > 0
                    then
                        least(months, stock_months * imports / (loss - offset_spare))
                        * 365.0 / 12
            end as covered_days,
            is_served_first,
            ln_price_change(
                sum(gap) filter (where not is_total) over (), world_imports, elasticity_high
            ) as world_ln_price_change_low,
            ln_price_change(
                sum(gap) filter (where not is_total) over (), world_imports, elasticity_low
            ) as world_ln_price_change_high,
            flow_source,
            source_edition_id
        from gaps"
    ) %}
{%- endmacro %}
