{#-
    The measures as DuckDB macros: created in the build database before the models, used by the
    marts themselves, carried over into every release, so that analysts apply the same SQL to
    their own tables. Sources and worked examples: docs/methods.

    `quantities` is a list of non-negative numbers in one unit, one a supplier, without nulls;
    `residual` is the quantity of suppliers that the publisher does not name ("Other").
    A measure of nothing (empty list, or only zeros) is null, never zero, and so is that of a list
    with a null or negative member, which says nothing of the whole.
-#}
{#- True where no member of any list is null or negative and lists are of like length; else null or
    false. -#}
{% macro sound(lists) -%}
{%- set conditions = [] -%}
{%- for members in lists -%}
{%- do conditions.append("list_min(" ~ members ~ ") >= 0") -%}
{%- do conditions.append("list_count(" ~ members ~ ") = len(" ~ lists[0] ~ ")") -%}
{%- do conditions.append("len(" ~ members ~ ") = len(" ~ lists[0] ~ ")") if not loop.first -%}
{%- endfor -%}
{{ conditions | join(" and ") }}
{%- endmacro %}

{% macro create_measures() -%}
    {%- set macros = [
        "hhi(quantities, residual := 0.0) as
            case
                when residual >= 0 and " ~ sound(["quantities"]) ~ "
                    then
                        list_sum(list_transform(quantities, lambda q: power(q, 2)))
                        / nullif(power(list_sum(quantities) + residual, 2), 0)
            end",
        "hhi_high(quantities, residual := 0.0) as
            case
                when residual >= 0 and " ~ sound(["quantities"]) ~ "
                    then
                        (
                            list_sum(list_transform(quantities, lambda q: power(q, 2)))
                            + residual * residual
                        )
                        / nullif(power(list_sum(quantities) + residual, 2), 0)
            end",
        "hhi_high_ordered(quantities, residual := 0.0) as
            case
                when residual >= 0 and " ~ sound(["quantities"]) ~ "
                    then
                        (
                            list_sum(list_transform(quantities, lambda q: power(q, 2)))
                            + coalesce(
                                floor(residual / nullif(list_min(quantities), 0))
                                * power(list_min(quantities), 2)
                                + power(
                                    residual
                                    - floor(residual / nullif(list_min(quantities), 0))
                                    * list_min(quantities),
                                    2
                                ),
                                residual * residual
                            )
                        )
                        / nullif(power(list_sum(quantities) + residual, 2), 0)
            end",
        "hhi_norm(index_value, n) as
            case when n > 1 then (index_value - 1.0 / n) / (1 - 1.0 / n) end",
        "n_eff(index_value) as 1.0 / nullif(index_value, 0)",
        "cr(quantities, k, residual := 0.0) as
            case
                when
                    k >= 1 and k = floor(k) and residual >= 0
                    and " ~ sound(["quantities"]) ~ "
                    then
                        list_sum(
                            list_slice(
                                list_reverse_sort(cast(quantities as double [])),
                                1,
                                cast(k as bigint)
                            )
                        )
                        / nullif(list_sum(cast(quantities as double [])) + residual, 0)
            end",
        "entropy(quantities) as
            case
                when
                    list_sum(cast(quantities as double [])) > 0
                    and " ~ sound(["quantities"]) ~ "
                    then
                        greatest(
                            0,
                            ln(list_sum(cast(quantities as double [])))
                            - list_sum(list_transform(
                                cast(quantities as double []),
                                lambda q: case when q > 0 then q * ln(q) else 0 end
                            ))
                            / list_sum(cast(quantities as double []))
                        )
            end",
        "evenness(quantities) as
            case
                when len(list_filter(quantities, lambda q: q > 0)) > 1
                    then
                        entropy(quantities)
                        / ln(len(list_filter(quantities, lambda q: q > 0)))
            end",
        "gini(quantities) as
            case
                when " ~ sound(["quantities"]) ~ "
                    then
                        list_sum(
                            list_transform(
                                list_sort(quantities),
                                lambda q, k: (2 * k - len(quantities) - 1) * q
                            )
                        )
                        / nullif(len(quantities) * list_sum(quantities), 0)
            end",
        "net_import_reliance(production, consumption) as
            case
                when consumption > 0 and production is not null
                    then least(1.0, greatest(0.0, (consumption - production) / consumption))
            end",
        "apparent_consumption(production, imports, exports) as
            production + imports - exports",
        "n1_gross(supply, top_supply, demand) as
            (supply - top_supply) / nullif(demand, 0)",
        "n1_net(supply, top_supply, demand, top_demand) as
            case when demand > top_demand then (supply - top_supply) / (demand - top_demand) end",
        "n1_of_balance(rest, top_supply, exports) as
            case
                when rest + top_supply > exports
                    then n1_gross(rest + top_supply, top_supply, rest + top_supply - exports)
            end",
        "n1_low(rest_low, rest_high, top_supply, exports) as
            least(
                n1_of_balance(rest_low, top_supply, exports),
                case
                    when rest_high is null then 1.0
                    else n1_of_balance(rest_high, top_supply, exports)
                end
            )",
        "n1_high(rest_low, rest_high, top_supply, exports) as
            case
                when rest_low + top_supply > exports
                    then
                        greatest(
                            n1_of_balance(rest_low, top_supply, exports),
                            case
                                when rest_high is null then 1.0
                                else n1_of_balance(rest_high, top_supply, exports)
                            end
                        )
            end",
        "import_to_export_ratio(imports, exports) as
            case when exports > 0 then imports / exports when imports > 0 then 9999.0 end",
        "mirror_ln_ratio(x, m_fob) as
            case when x > 0 and m_fob > 0 then ln(x / m_fob) end",
        "mirror_rel_gap(x, m_fob) as
            abs(x - m_fob) / nullif(x + m_fob, 0)",
        "mirror_sigma(ln_ratio) as abs(ln_ratio) / sqrt(2.0)",
        "shrunk_sigma(sigma, typical_sigma, weight) as
            sqrt((weight * power(typical_sigma, 2) + power(sigma, 2)) / (weight + 1))",
        "sum_sigma(total, sum_of_spreads, sum_of_squared_spreads, correlation) as
            sqrt(ln(1 + (
                correlation * power(sum_of_spreads, 2)
                + (1 - correlation) * sum_of_squared_spreads
            ) / power(nullif(total, 0), 2)))",
        "reallocation(shares_before, shares_after) as
            case
                when " ~ sound(["shares_before", "shares_after"]) ~ "
                    then
                        0.5 * list_sum(
                            list_transform(
                                list_zip(shares_before, shares_after),
                                lambda pair: abs(pair[1] - pair[2])
                            )
                        )
            end",
        "consumption_share(import_reliance, share_of_imports) as
            import_reliance * share_of_imports",
        "exceeds(threshold, central, low, high) as
            case
                when central > threshold or low > threshold then true
                when central <= threshold or high <= threshold then false
            end",
        "geodep(
            hhi_imports, hhi_world_exports, imports_to_exports,
            least_hhi_imports, least_hhi_world_exports, least_ratio
        ) as
            hhi_imports > least_hhi_imports
            and hhi_world_exports > least_hhi_world_exports
            and imports_to_exports > least_ratio",
        "ols_slope(xs, ys) as
            case
                when len(xs) = list_count(ys) and list_count(xs) = len(ys)
                    then
                        list_sum(
                            list_transform(
                                list_zip(cast(xs as double []), cast(ys as double [])),
                                lambda pair:
                                (pair[1] - list_avg(cast(xs as double [])))
                                * (pair[2] - list_avg(cast(ys as double [])))
                            )
                        )
                        / nullif(
                            list_sum(
                                list_transform(
                                    cast(xs as double []),
                                    lambda x: power(x - list_avg(cast(xs as double [])), 2)
                                )
                            ),
                            0
                        )
            end",
        "robust_z(figure, history, least_mad := 0.05, least_n := 24) as
            case
                when list_count(history) >= least_n
                    then
                        (figure - list_median(cast(history as double [])))
                        / (1.4826 * greatest(list_mad(cast(history as double [])), least_mad))
            end",
        "unit_value(value_usd, weight_kg) as
            case when value_usd > 0 and weight_kg > 0 then value_usd / weight_kg end",
        "reo_equivalent(element_quantity, element_per_oxide) as
            element_quantity / nullif(element_per_oxide, 0)",
        "yoy_ln(kg, kg_year_before) as
            case
                when kg is not null and kg_year_before is not null
                    then ln(greatest(kg, 1) / greatest(kg_year_before, 1))
            end",
        "alert_level(z, z_month_before, is_stopped, watch := -2, alert := -3) as
            case
                when z is null or not z < watch then null
                when is_stopped then 'stopped'
                when z_month_before < watch then 'confirmed'
                when z < alert then 'alert'
                else 'watch'
            end",
        "placebo_rank_p(shift, placebo_shifts) as
            case
                when list_count(placebo_shifts) > 0 and shift is not null
                    then
                        (
                            1
                            + len(list_filter(placebo_shifts, lambda p: abs(p) >= abs(shift)))
                        )
                        / (1 + list_count(placebo_shifts))
            end",
        "wgi_risk(mean_estimate) as
            case
                when mean_estimate is not null
                    then least(10.0, greatest(0.0, (2.5 - mean_estimate) * 2))
            end",
        "political_risk(political_stability) as
            case
                when political_stability is not null
                    then least(1.0, greatest(0.0, (2.5 - political_stability) / 5))
            end",
        "hhi_wgi(shares, risks, trade_parameters) as
            case
                when " ~ sound(["shares", "risks", "trade_parameters"]) ~ "
                    then
                        list_sum(
                            list_transform(
                                list_zip(shares, risks, trade_parameters),
                                lambda s: power(s[1], 2) * s[2] * s[3]
                            )
                        )
            end",
        "eu_supply_risk(hhi_wgi_gs, hhi_wgi_eu, import_reliance, eol_rir, substitution_index) as
            case
                when
                    hhi_wgi_gs < 0 or hhi_wgi_eu < 0 or substitution_index < 0
                    or not eol_rir between 0 and 1
                    then null
                when hhi_wgi_gs is null then hhi_wgi_eu
                when hhi_wgi_eu is null then hhi_wgi_gs
                when import_reliance is not null
                    then
                        hhi_wgi_gs * least(1.0, greatest(0.0, import_reliance)) / 2
                        + hhi_wgi_eu * (1 - least(1.0, greatest(0.0, import_reliance)) / 2)
            end * (1 - eol_rir) * substitution_index",
        "eu_group_mean(member_risks) as
            case when list_count(member_risks) = len(member_risks) then list_avg(member_risks) end",
        "trade_exposure(net_imports, consumption) as
            case
                when consumption > 0 and net_imports is not null
                    then least(1.0, greatest(0.0, net_imports / consumption))
            end",
        "nassar_supply_risk(disruption_potential, exposure, vulnerability) as
            cbrt(disruption_potential * exposure * vulnerability)",
        "geopolrisk_score(hhi_production, risk_weighted_imports, imports, production) as
            hhi_production * risk_weighted_imports / nullif(imports + production, 0)"
    ] -%}
    {%- for macro in macros %}
        {%- do run_query("create or replace macro " ~ target.schema ~ "." ~ macro) %}
    {%- endfor %}
{%- endmacro %}
