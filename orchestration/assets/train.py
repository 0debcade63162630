"""The fraud model: trained after the features are built, for the next build to score with."""

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, asset

from learning.fraud.store import PURPOSE
from orchestration import steps
from orchestration.assets.common import FRAUD_MODEL, TRAIN, warehouse_pool


@asset(
    key=FRAUD_MODEL,
    deps=[AssetKey([PURPOSE, "intermediate", "int_transaction_feature"])],
    group_name=TRAIN,
    kinds={"duckdb", "scikitlearn"},
    tags={"purpose": PURPOSE},
    required_resource_keys={"run"},
    pool=warehouse_pool(PURPOSE),
    description="The scorecard beside the fraud rules: a challenger each week, taken if it is no worse than the one in use.",
)
def fraud_model(context: AssetExecutionContext) -> MaterializeResult[None]:
    return MaterializeResult(metadata=steps.train_fraud_model(context.resources.run))
