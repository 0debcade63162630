"""What ingestion is told of the policy: the app database's columns, no others, and the shapes of Stripe's objects."""

from ingestion.source_tables import SourceTable
from ingestion.stripe_shapes import ObjectShape
from pseudonymisation.policy.model import Policy, Table
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
