{#- Generic tests, so that no package has to be fetched. Each returns the rows that break the rule. -#}

{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as n_rows
from {{ model }}
group by all
having count(*) > 1
{% endtest %}

{% test holds(model, condition) %}
select *
from {{ model }}
where not ({{ condition }})
{% endtest %}

{% test between(model, column_name, low=0, high=1, tolerance=1e-9) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ low }} - {{ tolerance }} or {{ column_name }} > {{ high }} + {{ tolerance }}
{% endtest %}

{% test not_null_columns(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where {% for column in columns %}{{ column }} is null{% if not loop.last %} or {% endif %}{% endfor %}

{% endtest %}
