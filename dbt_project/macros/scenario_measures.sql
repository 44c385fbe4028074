{#-
    What a supply cut would leave importers without, as a table macro on mart_import_dependency (or
    on any table with its columns). Formula, limits and examples: docs/methods/scenario.md.

    A scenario, not a forecast: nobody reacts but through the parameters.
-#}
{% macro create_scenario_measures() -%}
    {%- do run_query(
        "create or replace macro " ~ target.schema ~ ".ln_price_change(gap, demand, elasticity) as
            case
                when not gap >= 0 or not demand > 0 or not elasticity > 0 then null
                when gap < demand then -ln(1 - gap / demand) / elasticity
            end"
    ) %}
    {%- do run_query(
        "create or replace macro " ~ target.schema ~ ".cover_days(stock, imports_per_year) as
            case when imports_per_year > 0 and stock >= 0 then 365.0 * stock / imports_per_year end"
    ) %}
    {%- set refusals = [
        unless("len(cut_countries) > 0", "cut_countries", "at least one country"),
        unknown_areas("cut_countries"),
        unless("partners is not null", "partners", "a list of importers, [] for nobody"),
        unknown_areas("partners"),
        unless("fraction between 0 and 1", "fraction", "the part of the exports cut, 0 to 1"),
        unless(
            "months > 0 and isfinite(cast(months as double))", "months", "a number above 0"
        ),
        unless(
            "spare_capacity >= 0 and isfinite(cast(spare_capacity as double))",
            "spare_capacity", "a part of the exports of the others, 0 or more"
        ),
        unless(
            "stock_months >= 0 and isfinite(cast(stock_months as double))",
            "stock_months", "months of imports, 0 or more"
        ),
        unless(
            "coalesce(quantity_basis, 'usd') in ('gross_t', 'usd')",
            "quantity_basis", "gross_t or usd, or nothing for the one that is held"
        ),
        unless(
            "elasticity_low > 0 and isfinite(cast(elasticity_low as double))",
            "elasticity_low", "a number above 0"
        ),
        unless(
            "elasticity_high >= elasticity_low and isfinite(cast(elasticity_high as double))",
            "elasticity_high", "a number not below elasticity_low"
        ),
    ] %}
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
            quantity_basis := null,
            elasticity_low := 0.2,
            elasticity_high := 1.0,
            vintage := 'latest',
            dependency := 'mart_import_dependency',
            areas := 'dim_country'
        ) as table
        with members as (
            select country_iso3 from query_table(areas) where is_eu27
        ),
        sets as (
            select
                " ~ with_members("cut_countries") ~ " as cut,
                " ~ with_members("partners") ~ " as first
        ),
        held as (
            select
                importer_iso3,
                partner_iso3,
                basis,
                import_reliance,
                flow_source,
                source_edition_id,
                case basis when 'usd' then imports_usd else imports_gross_t end
                * months / 12.0 as imports
            from query_table(dependency)
            where
                material = material_id
                and stage = stage_id
                and reference_year = year
                and basis in ('gross_t', 'usd')
                and (quantity_basis is null or basis = quantity_basis)
                and vintage_id = vintage
        ),
        -- Where none is asked for, tonnes if they are held.
        chosen as (
            select *
            from held
            where
                basis = (
                    select case when bool_or(basis = 'gross_t') then 'gross_t' else 'usd' end
                    from held
                )
            union all by name
            " ~ refused(refusals, ["importer_iso3"]) ~ "
        ),
        flagged as (
            select
                chosen.*,
                coalesce(list_contains(sets.cut, chosen.partner_iso3), false) as is_cut,
                coalesce(chosen.partner_iso3 in (select country_iso3 from members), false)
                    as is_from_member,
                list_contains(sets.first, chosen.importer_iso3) as is_served_first
            from chosen
            cross join sets
        ),
        by_area as (
            select
                importer_iso3,
                any_value(basis) as basis,
                any_value(import_reliance) as import_reliance,
                any_value(flow_source) as flow_source,
                any_value(source_edition_id) as source_edition_id,
                any_value(is_served_first) as is_served_first,
                importer_iso3 in (select country_iso3 from members) as is_member,
                sum(imports) as imports,
                coalesce(sum(imports) filter (where not is_from_member), 0) as imports_outside,
                coalesce(sum(imports) filter (where not is_cut), 0) as imports_not_cut,
                coalesce(sum(imports) filter (where is_cut), 0) * fraction as loss,
                coalesce(sum(imports) filter (where is_cut and not is_from_member), 0) * fraction
                    as loss_outside
            from flagged
            group by importer_iso3
        ),
        -- The Union is its members once more and counts in no total, unless it stands for them.
        importers as (
            select *
            from by_area
            where importer_iso3 != 'EU27' or (select not bool_or(is_member) from by_area)
        ),
        world as (
            select
                sum(loss) as loss,
                coalesce(sum(loss) filter (where is_served_first), 0) as loss_first,
                sum(imports) as imports,
                spare_capacity * sum(imports_not_cut) as spare
            from importers
        ),
        served as (
            select
                importers.*,
                coalesce(
                    importers.loss * case
                        when importers.is_served_first
                            then least(1.0, world.spare / nullif(world.loss_first, 0))
                        else
                            least(
                                1.0,
                                greatest(0.0, world.spare - world.loss_first)
                                / nullif(world.loss - world.loss_first, 0)
                            )
                    end,
                    0
                ) as offset_spare
            from importers
            cross join world
        ),
        left_by_spare as (
            select
                *,
                greatest(0.0, loss - offset_spare) as to_carry
            from served
        ),
        stocked as (
            select
                *,
                least(to_carry, stock_months * imports / months) as offset_stock
            from left_by_spare
        ),
        gaps as (
            select
                *,
                greatest(0.0, to_carry - offset_stock) as gap,
                coalesce(loss_outside / nullif(loss, 0), 0) as part_outside
            from stocked
        ),
        price as (
            select
                ln_price_change(sum(gap), sum(imports), elasticity_high) as low,
                ln_price_change(sum(gap), sum(imports), elasticity_low) as high
            from gaps
        ),
        -- What members trade with each other is neither bought nor lost by the Union.
        rows_shown as (
            select
                importer_iso3, basis, imports, loss, offset_spare, to_carry, offset_stock, gap,
                import_reliance, is_served_first, flow_source, source_edition_id
            from gaps
            union all by name
            select
                'EU27' as importer_iso3,
                any_value(basis) as basis,
                sum(imports_outside) as imports,
                sum(loss_outside) as loss,
                sum(offset_spare * part_outside) as offset_spare,
                sum(to_carry * part_outside) as to_carry,
                sum(offset_stock * part_outside) as offset_stock,
                sum(gap * part_outside) as gap,
                (select any_value(import_reliance) from by_area where importer_iso3 = 'EU27')
                    as import_reliance,
                bool_and(is_served_first) as is_served_first,
                any_value(flow_source) as flow_source,
                any_value(source_edition_id) as source_edition_id
            from gaps
            where is_member
            having sum(imports_outside) > 0
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
            case when to_carry > 0 then offset_stock / to_carry * months * 365.0 / 12 end
                as covered_days,
            is_served_first,
            price.low as world_ln_price_change_low,
            price.high as world_ln_price_change_high,
            basis,
            flow_source,
            source_edition_id
        from rows_shown
        cross join price"
    ) %}
{%- endmacro %}
