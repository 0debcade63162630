{{ config(materialized="ephemeral", meta={"erasure": "computed"}) }}

{#- Points by range of a feature's value, of the model in use; without bounds: the points of no value. -#}
select
    model.model_id,
    scorecard.feature,
    scorecard.value_from,
    scorecard.value_below,
    scorecard.points,
    model.intercept
from {{ fraud_scorecard_table("_fraud_model") }} as model
inner join {{ fraud_scorecard_table("_fraud_scorecard") }} as scorecard on model.model_id = scorecard.model_id
where
    model.state = 'in_use' and model.is_switched_on
    and model.expires_at > {{ fraud_as_of() }}
