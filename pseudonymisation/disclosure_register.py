"""What the register of disclosures (R17) says: numbers of people alone."""

from dataclasses import dataclass
from datetime import date

from pseudonymisation.vault import open_vault
from storage import Workspace


@dataclass(frozen=True, kw_only=True)
class Disclosed:
    """How many living people a recipient has been given data about, and since when."""

    recipient: str
    people: int
    since: date | None


def register_of_disclosures(workspace: Workspace) -> list[Disclosed]:
    """Every recipient that has been given data about somebody who is known now; numbers of people alone."""
    if not workspace.home.vault_file.exists():
        return []
    with workspace.connect() as con, open_vault(con, workspace):
        rows = con.execute(
            "SELECT recipient, count(*), min(since) FROM vault.disclosure GROUP BY recipient ORDER BY recipient"
        ).fetchall()
    return [Disclosed(recipient=row[0], people=row[1], since=row[2]) for row in rows]
