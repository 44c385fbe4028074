{#-
    How a table macro refuses what cannot be. A macro has no statement to stop with, so the query of
    its first rows gets one more branch: a row a message, and taking such a row is DuckDB's
    `error(...)`. Every column that a reader may filter on before the message is seen is that error
    as well, so that no filter takes the row away first.
-#}
{% macro refused(messages, columns) -%}
select error(message) as {{ columns | join(", error(message) as ") }}
from (select unnest([{{ messages | join(", ") }}]) as message) as refusals
where case when message is not null then error(message) else false end
{%- endmacro %}

{#- The message where `condition` of a parameter does not hold or is null; else null. -#}
{% macro unless(condition, parameter, allowed) -%}
    case
        when not coalesce({{ condition }}, false)
            then
                '{{ parameter }} is ' || coalesce(cast({{ parameter }} as varchar), 'null')
                || ': give {{ allowed }}'
    end
{%- endmacro %}

{#- The message where a list names an area that is in no row of the table `areas`; else null. -#}
{% macro unknown_areas(parameter) -%}
    (
        select
            '{{ parameter }} names ' || string_agg(coalesce(name, 'null'), ', ' order by name)
            || ': give ISO 3166-1 alpha-3 codes that ' || areas || ' has, such as CHN, or EU27'
        from (select unnest(cast({{ parameter }} as varchar [])) as name) as named
        where
            name is null
            or name not in (
                select country_iso3 from query_table(areas) where country_iso3 != 'WLD'
            )
    )
{%- endmacro %}

{#- A list of areas with the members of the Union added where it names EU27. -#}
{% macro with_members(parameter) -%}
    case
        when list_contains(cast({{ parameter }} as varchar []), 'EU27')
            then
                list_concat(
                    cast({{ parameter }} as varchar []),
                    (select list(country_iso3) from query_table(areas) where is_eu27)
                )
        else cast({{ parameter }} as varchar [])
    end
{%- endmacro %}
