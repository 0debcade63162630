select
    model_id,
    state,
    is_switched_on,
    payments,
    frauds,
    judged_payments,
    judged_frauds,
    average_precision,
    average_precision_in_use,
    trained_at,
    payments_to,
    expires_at
from {{ fraud_scorecard_table("_fraud_model") }}
