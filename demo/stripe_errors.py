"""The refusals of Stripe's API, with its status codes, error codes and words."""

from typing import Any

INVALID_REQUEST = "invalid_request_error"


class ApiError(Exception):
    """An answer that is no object: a status and what stands under `error` in the body."""

    def __init__(self, status: int, message: str, *, kind: str = INVALID_REQUEST, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = fields.pop("headers", {})
        self.body: dict[str, Any] = {"error": {**fields, "message": message, "type": kind}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    given = {"param": param, "code": code}
    return ApiError(400, message, **{name: value for name, value in given.items() if value is not None})


def unknown_parameter(param: str) -> ApiError:
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def missing(label: str, object_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """404 for an id in the path, 400 for one that a parameter names."""
    return ApiError(status, f"No such {label}: '{object_id}'", code="resource_missing", param=param)


def no_access(api_key: str, account_id: str) -> ApiError:
    message = (
        f"The provided key '{masked(api_key)}' does not have access to account '{account_id}' "
        "(or that account does not exist). Application access may have been revoked."
    )
    return ApiError(403, message, code="account_invalid")


def no_permission(api_key: str, type_name: str) -> ApiError:
    permission = f"rak_{type_name.replace('.', '_')}_read"
    return ApiError(
        403,
        f"The provided key '{masked(api_key)}' does not have the required permissions for this endpoint. "
        f"Having the '{permission}' permission would allow this request to continue.",
    )


def rate_limited(reason: str) -> ApiError:
    """`reason` as in Stripe's header: endpoint-rate or global-rate."""
    return ApiError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        doc_url="https://stripe.com/docs/error-codes/rate-limit",
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def masked(api_key: str) -> str:
    """An API key as Stripe shows it: beginning and end."""
    return f"{api_key[:8]}{'*' * max(0, len(api_key) - 12)}{api_key[-4:]}" if len(api_key) > 12 else "*" * len(api_key)
