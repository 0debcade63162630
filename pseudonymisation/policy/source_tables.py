"""What ingestion is told of the policy: columns and fields, no others, and the shapes of Stripe's objects."""

from ingestion.event_fields import ENVELOPE, EventField, EventFields
from ingestion.source_tables import SourceTable
from ingestion.stripe_shapes import ObjectShape
from pseudonymisation.policy.model import Column, Policy, Table
from pseudonymisation.vault import registrations


def app_db_tables(policy: Policy) -> list[SourceTable]:
    """One SourceTable for each table that a purpose gets or that the vault learns from."""
    return [
        SourceTable(
            name=table.name,
            columns=tuple(table.columns),
            key=table.key,
            updated_at=table.updated_at,
            appended_at=table.appended_at,
            types={path: column.type for path, column in table.columns.items()},
        )
        for table in policy.tables_from("app_db")
        if table.purposes or registrations(table)
    ]


def stripe_shapes(policy: Policy) -> list[ObjectShape]:
    """One ObjectShape for each of Stripe's tables that the policy has classified."""
    return [
        ObjectShape(
            table=table.name,
            classified=frozenset(
                column.path.partition(".")[0] for column in table.columns.values() if not column.beside_object
            ),
            used={path: table.columns[path].type for path in _used(table)},
        )
        for table in policy.tables_from("stripe")
    ]


def _used(table: Table) -> list[str]:
    """The paths from which a purpose or the vault takes something."""
    learned = [path for one in registrations(table) for path in (one.path, one.same_as) if path is not None]
    given = [column.path for column in table.columns.values() if column.treatments]
    paths = dict.fromkeys([*table.key, *learned, *given])
    return [path for path in paths if not table.columns[path].beside_object]


def event_fields(policy: Policy) -> EventFields:
    """The fields of an event that a purpose gets, and every name that the policy lists."""
    columns = [column for column in policy.table("events", "event").columns.values() if not column.beside_object]
    return EventFields(
        kept=tuple(
            EventField(path=column.path, type=_field_type(column))
            for column in columns
            if column.treatments and column.path not in ENVELOPE
        ),
        names=frozenset(column.path.split(".")[0] for column in columns),
        properties=frozenset(
            column.path.removeprefix("properties.") for column in columns if "properties." in column.path
        ),
    )


def _field_type(column: Column) -> str:
    if any(treatment.parameter == "list_length" for treatment in column.treatments.values()):
        return "list"
    return "identifier" if column.identifier and column.type == "text" else column.type
