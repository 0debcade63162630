"""The app's tables as the world keeps them: column types, keys, an order in which foreign keys hold, and their history.

A table is made as *versions*: rows with a `valid_from`, the moment from which a row reads so. What the app's database
shows at a moment is the newest version of each key until then; versions of the future wait until the world gets there.
Times are whole seconds since 1970, in UTC, until a table is finished for writing.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_TYPES: dict[str, pl.DataType] = {
    "uuid": pl.String(),
    "text": pl.String(),
    "int": pl.Int64(),
    "small": pl.Int64(),
    "bool": pl.Boolean(),
    "double": pl.Float64(),
    "money": pl.Float64(),
    "time": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "texts": pl.List(pl.String()),
    "json": pl.String(),
    "inet": pl.String(),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of schema `app`: its columns with their kind, its key, and how its rows come to be.

    `assigned_key`: the app hands out the key when a row appears, so that keys grow with time.
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]
    assigned_key: bool = False

    @property
    def has_updates(self) -> bool:
        return "updated_at" in self.columns

    def finish(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with exactly the table's columns and types, ordered by key."""
        return frame.select([_finished(name, kind, frame.schema[name]) for name, kind in self.columns.items()]).sort(
            self.key
        )


def _finished(name: str, kind: str, current: pl.DataType) -> pl.Expr:
    if kind == "time" and current.is_numeric():
        return pl.from_epoch(pl.col(name), time_unit="s").cast(_TYPES[kind]).dt.replace_time_zone("UTC").alias(name)
    if kind == "date" and current.is_numeric():
        return pl.col(name).cast(pl.Int32).cast(pl.Date)
    if kind == "money":
        return pl.col(name).cast(pl.Float64).round(2)
    return pl.col(name).cast(_TYPES[kind])


def _table(name: str, key: str, columns: str, *, assigned_key: bool = False) -> Table:
    pairs = [(column, kind) for column, _, kind in (item.rpartition(":") for item in columns.split())]
    return Table(
        name=name,
        key=tuple(key.split()),
        columns=dict(pairs),
        assigned_key=assigned_key,
    )


# In an order in which every foreign key already has its target.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "account",
            "account_id",
            "account_id:uuid created_at:time updated_at:time full_name:text email:text phone:text birth_date:date "
            "national_id:text address_line:text postal_code:text city:text latitude:double longitude:double "
            "is_provider:bool status:text age_verified_at:time push_opt_in:bool sms_opt_in:bool email_opt_in:bool "
            "referral_code:text stripe_customer_id:text",
        ),
        _table(
            "provider_profile",
            "account_id",
            "account_id:uuid display_name:text bio:text skills:texts org_number:text vat_registered:bool "
            "bank_account:text stripe_account_id:text radius_km:double published_at:time updated_at:time",
        ),
        _table("service_category", "category_id", "category_id:int slug:text name_nb:text name_en:text"),
        _table(
            "service_offer",
            "offer_id",
            "offer_id:int provider_id:uuid category_id:int title:text description:text price_nok:money price_unit:text "
            "active:bool created_at:time updated_at:time",
        ),
        _table(
            "availability_slot",
            "slot_id",
            "slot_id:int provider_id:uuid starts_at:time ends_at:time state:text updated_at:time",
        ),
        _table(
            "service_request",
            "request_id",
            "request_id:int customer_id:uuid category_id:int description:text address_line:text postal_code:text "
            "latitude:double longitude:double wanted_from:time wanted_to:time status:text created_at:time updated_at:time",
        ),
        _table(
            "request_candidate",
            "request_id provider_id",
            "request_id:int provider_id:uuid rank_position:int price_nok:money shown_at:time responded_at:time "
            "response:text updated_at:time",
        ),
        _table(
            "booking",
            "booking_id",
            "booking_id:int request_id:int customer_id:uuid provider_id:uuid category_id:int starts_at:time ends_at:time "
            "price_nok:money platform_fee_nok:money status:text cancelled_by:text payment_method:text "
            "stripe_payment_intent_id:text booked_at:time completed_at:time paid_at:time updated_at:time",
        ),
        _table(
            "review",
            "review_id",
            "review_id:int booking_id:int author_id:uuid subject_id:uuid rating:small body:text created_at:time "
            "updated_at:time",
        ),
        _table(
            "message",
            "message_id",
            "message_id:int conversation_id:int booking_id:int sender_id:uuid recipient_id:uuid body:text sent_at:time",
            assigned_key=True,
        ),
        _table(
            "support_case",
            "case_id",
            "case_id:int account_id:uuid channel:text subject:text body:text about_account_id:uuid topic:text "
            "opened_at:time closed_at:time updated_at:time",
        ),
        _table(
            "survey_response",
            "response_id",
            "response_id:int account_id:uuid survey:text answers:json submitted_at:time",
            assigned_key=True,
        ),
        _table(
            "login",
            "login_id",
            "login_id:int account_id:uuid at:time success:bool ip:inet device_id:text user_agent:text country:text",
            assigned_key=True,
        ),
        _table(
            "insurance_claim",
            "claim_id",
            "claim_id:int booking_id:int claimant_id:uuid description:text amount_nok:money filed_at:time "
            "settled_at:time status:text updated_at:time",
        ),
        _table(
            "consent",
            "consent_id",
            "consent_id:int account_id:uuid anonymous_id:text purpose:text granted:bool recorded_at:time source:text",
            assigned_key=True,
        ),
        _table(
            "privacy_request",
            "privacy_request_id",
            "privacy_request_id:int account_id:uuid kind:text channel:text identity_verified_at:time requested_at:time "
            "withdrawn_at:time updated_at:time",
        ),
        _table("account_ban", "account_id", "account_id:uuid reason:text banned_at:time lifted_at:time"),
        _table(
            "fraud_flag_decision",
            "decision_id",
            "decision_id:int flag_id:text decision:text decided_at:time contested:bool note:text",
        ),
        _table(
            "fraud_flag",
            "flag_id",
            "flag_id:text account_id:uuid reasons:json score:double recommended_action:text rule_version:text "
            "first_seen_at:time updated_at:time expires_at:time status:text",
        ),
        _table(
            "privacy_receipt",
            "privacy_request_id",
            "privacy_request_id:int state:text eligible_at:time explanation:text certificate_id:text updated_at:time",
        ),
    )
}
PIPELINE_TABLES = ("fraud_flag", "privacy_receipt")
LATE_COMMIT = 20 * 60  # seconds
_LEAVES = ("availability_slot", "request_candidate", "review", "support_case", "insurance_claim")
WORLD_TABLES = tuple(name for name in TABLES if name not in PIPELINE_TABLES)


def stack(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Frames one below the other, columns matched by name, missing ones null."""
    return pl.concat([frame for frame in frames if frame.width], how="diagonal_relaxed")


def newest(versions: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """The newest version of each key, ordered by key."""
    return versions.sort([*key, "valid_from"], maintain_order=True).unique(list(key), keep="last", maintain_order=True)


def split_at(versions: pl.DataFrame, now: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Versions that hold at `now` or held before, and those of the future."""
    past = pl.col("valid_from") <= now
    return versions.filter(past), versions.filter(~past)


def split_by_commit(name: str, versions: pl.DataFrame, end: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Like `split_at`, for a database whose transactions commit out of order.

    Of tables that nothing refers to, every other row that changed in the last minutes until `end` is not visible yet,
    while the others are; it becomes so later, with the `updated_at` that it had all along.
    """
    past, future = split_at(versions, end)
    if name not in _LEAVES or not past.height:
        return past, future
    late = (pl.col("valid_from") > end - LATE_COMMIT) & (pl.col(TABLES[name].key[0]) % 2 == 0)
    return past.filter(~late), pl.concat([past.filter(late), future])


def show(table: Table, versions: pl.DataFrame) -> pl.DataFrame:
    """What the app shows of versions that have all come to hold: the newest of each, `updated_at` being when it changed.

    Of a table whose keys the app hands out, the rows are put in order of time, still without keys.
    """
    if table.assigned_key:
        return versions.sort("valid_from", maintain_order=True)
    shown = newest(versions, table.key)
    return shown.with_columns(updated_at=pl.col("valid_from")) if table.has_updates else shown


def with_assigned_keys(table: Table, frame: pl.DataFrame, first_key: int) -> pl.DataFrame:
    """Rows in their order, numbered from `first_key`, where the app hands out the table's keys."""
    if not table.assigned_key:
        return frame
    return frame.with_columns(pl.int_range(first_key, first_key + frame.height).alias(table.key[0]))
