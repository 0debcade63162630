"""Who plays a part: accounts set aside for planted fraud and for privacy requests, so that chance does not spoil their case."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

FRAUD_SHARE = 0.042

# kind of fraud: the roles of one group of accounts; a trailing * marks a provider
FRAUD_ROLES: dict[str, tuple[str, ...]] = {
    "shared_cards": ("member", "member", "member"),
    "shared_devices": ("member", "member", "member", "member"),
    "self_dealing": ("customer", "provider*"),
    "fake_reviews": ("provider*", "author", "author"),
    "account_takeover": ("victim*",),
    "off_platform_contact": ("provider*",),
    "stolen_cards": ("thief",),
    "spam": ("sender",),
    "harassment": ("sender",),
    "card_testing": ("thief",),
    "bust_out": ("customer",),
    "cash_out": ("provider*", "thief", "thief", "thief"),
    "promotion_abuse": ("member", "member", "member"),
    "lent_account": ("holder",),
    "ban_evasion": ("banned", "returned"),
    "duplicate_identity": ("first*", "second*"),
    "false_company": ("provider*",),
}
_ROOM_FOR_ALL = 200  # accounts; a smaller world has no room for the kinds from card testing on
_IN_EVERY_WORLD = 9

# case: the roles in one instance, and how often it is played compared with the rarest
PRIVACY_ROLES: dict[str, tuple[tuple[str, ...], int]] = {
    "no_booking": (("asker",), 3),
    "done_long_ago": (("asker",), 3),
    "provider_done_long_ago": (("asker*",), 1),
    "kept_by_law": (("asker",), 1),
    "recent_job": (("asker",), 1),
    "recently_paid": (("asker",), 1),
    "nearly_eligible": (("asker",), 1),
    "open_job": (("asker",), 1),
    "provider_open_job": (("asker*",), 1),
    "unpaid_job": (("asker",), 1),
    "disputed_charge": (("asker",), 1),
    "open_claim": (("asker",), 1),
    "unverified": (("asker",), 1),
    "verified_later": (("asker",), 1),
    "withdrawn": (("asker",), 1),
    "withdrawn_later": (("asker",), 1),
    "second_request": (("asker",), 1),
    "banned": (("asker",), 1),
    "both_parties": (("customer", "provider*"), 1),
    "access": (("asker",), 1),
    "rectification": (("asker",), 1),
    "new_request": (("asker",), 2),
    "vanishing": (("leaver",), 1),
}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many groups of each kind of fraud and instances of each privacy case a world of this size has."""

    fraud_groups: int
    privacy_instances: int


def fraud_kinds(accounts: int) -> dict[str, tuple[str, ...]]:
    """The kinds of fraud that a world of this size has, with their roles."""
    kinds = list(FRAUD_ROLES.items())
    return dict(kinds if accounts >= _ROOM_FOR_ALL else kinds[:_IN_EVERY_WORLD])


def counts(accounts: int) -> Counts:
    """Fraud is about `FRAUD_SHARE` of the accounts; privacy cases grow more slowly. Each is there at least once."""
    roles = sum(len(group) for group in fraud_kinds(accounts).values())
    return Counts(
        fraud_groups=max(1, round(accounts * FRAUD_SHARE / roles)),
        privacy_instances=1 if accounts < 1_000 else max(2, round(accounts / 2_000)),
    )


def planned(accounts: int) -> pl.DataFrame:
    """The cast: `cast` (kind of fraud or `privacy:case`), `cast_group`, `cast_role`, `is_provider`."""
    number = counts(accounts)
    rows: list[tuple[str, int, str, bool]] = []
    for kind, roles in fraud_kinds(accounts).items():
        for group in range(number.fraud_groups):
            rows += [(kind, group, role.rstrip("*"), role.endswith("*")) for role in roles]
    for case, (roles, times) in PRIVACY_ROLES.items():
        for group in range(times if number.privacy_instances == 1 and times < 3 else times * number.privacy_instances):
            if accounts < 200 and group:
                break
            rows += [(f"privacy:{case}", group, role.rstrip("*"), role.endswith("*")) for role in roles]
    schema = {"cast": pl.String, "cast_group": pl.Int64, "cast_role": pl.String, "is_provider": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def members(people: pl.DataFrame, cast: str, role: str | None = None) -> pl.DataFrame:
    """The people of one part, ordered by group, with their row number as `person`."""
    chosen = pl.col("cast") == cast
    if role is not None:
        chosen &= pl.col("cast_role") == role
    return people.filter(chosen).sort("cast_group", "person")
