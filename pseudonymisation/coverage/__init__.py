"""Is everything that an erasure must reach reached? Proved from the policy and the compiled dbt models, not listed."""
