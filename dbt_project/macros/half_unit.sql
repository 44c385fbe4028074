{#-
    Half a unit of the last digit that counts in a printed number, in the unit it is printed in;
    null where the text holds no number. Zeros at the end of a whole number may be rounding: they
    do not count beyond `least_digits` digits. Those of a percentage count.
-#}
{% macro half_unit(text, is_percentage, least_digits) -%}
    {%- set number -%}
        replace(nullif(regexp_extract({{ text }}, '[0-9][0-9,]*([.][0-9]+)?'), ''), ',', '')
    {%- endset -%}
    case
        when {{ number }} is null then null
        when {{ number }} like '%.%'
            then 0.5 * power(10, -len(split_part({{ number }}, '.', 2)))
        when {{ is_percentage }} then 0.5
        else
            0.5 * power(
                10,
                greatest(
                    0,
                    least(
                        len({{ number }}) - len(rtrim({{ number }}, '0')),
                        len({{ number }}) - {{ least_digits }}
                    )
                )
            )
    end
{%- endmacro %}
