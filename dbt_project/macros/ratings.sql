{# How many reviews of the average provider a rating is mixed with, so that a single five is not a 5.0. #}
{% macro rating_prior_reviews() -%}
    {{ return(var('rating_prior_reviews', 5) | int) }}
{%- endmacro %}
