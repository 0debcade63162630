"""The app database's tables as ingestion reads them: the policy's columns and no others."""

from ingestion.source_tables import SourceTable
from pseudonymisation.policy.model import Policy
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
