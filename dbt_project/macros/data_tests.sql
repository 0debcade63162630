{# No two rows have the same values in all these columns. #}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{# Every expression is true, or null, in every row: several conditions for the price of one test. #}
{% test every_row_holds(model, expressions) %}
select *
from {{ model }}
where
    {% for expression in expressions -%}
    not coalesce({{ expression }}, true){{ ' or' if not loop.last }}
    {% endfor %}
{% endtest %}

{# A table of things to look at has none, but those that may be there for now. Meant to warn, with the count. #}
{% test nothing_to_look_at(model, unless) %}
select *
from {{ model }}
where not {{ unless }}
{% endtest %}
