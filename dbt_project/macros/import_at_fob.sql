{#-
    An import report free on board: as it stands where the reporter's valuation has no freight in
    it, the reporter's own FOB value where it gives one, else less the freight of code and year.
    `mirror` and `freight` are the names under which int_trade__mirror and int_trade__freight stand.
-#}
{% macro import_at_fob(mirror, freight) -%}
    case
        when {{ mirror }}.m_has_freight
            then
                coalesce(
                    {{ mirror }}.m_own_fob_usd,
                    {{ mirror }}.m_cif_usd * (1 - {{ freight }}.freight_share)
                )
        else {{ mirror }}.m_cif_usd
    end
{%- endmacro %}
