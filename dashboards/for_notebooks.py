"""What every notebook begins with: its purpose's published copy, opened with that purpose's key, and what it may be used for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import altair as alt
import polars as pl

from dashboards import wording
from orchestration.settings import load_settings
from pseudonymisation.policy.model import Purpose
from pseudonymisation.policy.reading import load_policy
from publishing.metrics.reading import metric_sql
from publishing.readers import Parameters, PublishedReader

TABLES = """
SELECT table_name AS "table", estimated_size AS "rows" FROM duckdb_tables()
WHERE database_name = 'published' AND schema_name = 'marts' ORDER BY table_name
"""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published copy and its purpose."""

    purpose: Purpose
    reader: PublishedReader
    built_at: datetime

    def query(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        """The rows as a Polars frame; tables are in schema `marts`."""
        return self.reader.query(sql, parameters)

    @property
    def metric(self) -> Mapping[str, str]:
        """The purpose's metrics by name, as SQL for a SELECT on their mart: `leii metrics` lists them."""
        return metric_sql(self.purpose.name)

    def introduction(self) -> str:
        """Markdown: what the data is for, who reads it, what the limits are, and which tables there are."""
        purpose = self.purpose
        limits = (
            "There is no smallest cell here, as nothing of it is published outside its readers."
            if purpose.min_customers == purpose.min_providers == 1
            else f"A figure about fewer than {purpose.min_customers} customers or {purpose.min_providers} providers is not "
            "to be shown to anybody else."
        )
        tables = "\n".join(f"| `{name}` | {rows:,} |" for name, rows in self.query(TABLES).iter_rows())
        return (
            f"**{purpose.title}.** {purpose.what_for} Lawful basis: GDPR art. {purpose.basis_article}: "
            f"{purpose.basis_reason}\n\n"
            f"For {', '.join(wording.words(reader).lower() for reader in purpose.readers)}. A row is kept for "
            f"{wording.retention(purpose.retention_days)}. {limits}\n\n"
            f"Published {wording.moment(self.built_at)}; people are pseudonyms of this purpose alone.\n\n"
            f"| table | rows |\n|---|--:|\n{tables}"
        )


def open_published_copy(purpose: str) -> Published:
    """The newest copy in LEII_HOME; charts drawn from here on offer no way to send them to a web site.

    Raises LeiiError, saying what to do, when nothing is published.
    """
    alt.theme.register("leii", enable=True)(_stay_here)
    settings = load_settings()
    reader = PublishedReader(settings.place(), settings.keys().for_readers([purpose]), purpose)
    built_at = reader.query("SELECT built_at FROM about").item()
    return Published(purpose=load_policy().purposes[purpose], reader=reader, built_at=built_at)


def _stay_here() -> alt.theme.ThemeConfig:
    """The menu beside a chart can save it; its entry that opens the chart, data and all, in an editor on the web is left out."""
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    return {
        "usermeta": {"embedOptions": {"actions": actions}},
        "config": {
            "font": "sans-serif",
            "title": {"anchor": "start", "fontSize": 14, "offset": 10},
            "view": {"stroke": None},
        },
    }
