"""Column-level lineage of SQL: from which columns of the source tables does each column of each model descend?

A column descends from the columns that its value is computed from, through every CTE, subquery and model between. A model
also descends, row by row, from every table that decides which rows it has. What cannot be followed is not left out:
the model then descends from every column of every table that it reads. So does a model that is a program.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from pseudonymisation.coverage.models import Model

DIALECT = "duckdb"
DATABASE = "warehouse"
SOURCE_SCHEMA = "src"
OWN_PREVIOUS_ROWS = "recurring"
"""DuckDB's name for the rows that a recursive query with USING KEY has found so far."""


class Origin(NamedTuple):
    """A column of a table of the purpose's schema `src`."""

    table: str
    column: str


Columns = Mapping[str, frozenset[Origin]]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What one relation descends from: each column, and the source tables that decide which rows there are.

    `unresolved` says why the SQL could not be followed; every column then has every origin.
    """

    columns: Columns
    tables: frozenset[str]
    unresolved: str | None = None

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset().union(*self.columns.values())


class UnresolvedError(Exception):
    """A column or table of a statement that cannot be followed to where it comes from."""


def source_lineage(tables: Mapping[str, Iterable[str]]) -> dict[str, Lineage]:
    """The source tables themselves, by relation, given their columns by name."""
    return {
        f"{SOURCE_SCHEMA}.{table}": Lineage(
            columns={column: frozenset({Origin(table, column)}) for column in columns}, tables=frozenset({table})
        )
        for table, columns in tables.items()
    }


def trace_models(models: Iterable[Model], sources: Mapping[str, Lineage]) -> dict[str, Lineage]:
    """The lineage of one purpose's models and sources, by relation. `models` has parents before children."""
    known = dict(sources)
    for model in models:
        known[model.relation] = _trace_model(model, known)
    return known


def _trace_model(model: Model, known: Mapping[str, Lineage]) -> Lineage:
    parents = [known[parent] for parent in model.parents if parent in known]
    every = frozenset[Origin]().union(*(parent.origins for parent in parents))
    rows = frozenset[str]().union(*(parent.tables for parent in parents))
    try:
        missing = sorted(model.parents - set(known))
        if missing:
            raise UnresolvedError(f"it reads {', '.join(missing)}, which the purpose does not have")
        if model.is_python:
            return Lineage(columns=dict.fromkeys(model.columns, every), tables=rows)
        full = Statement(model.sql, known)
        columns, tables = full.columns, full.tables
        if model.incremental_sql is not None:
            own = Lineage(columns=columns, tables=tables)
            again = Statement(model.incremental_sql, {**known, model.relation: own})
            if set(again.columns) != set(columns):
                raise UnresolvedError("its incremental form has other columns than its full form")
            columns = {name: columns[name] | again.columns[name] for name in columns}
            tables |= again.tables
    except (UnresolvedError, SqlglotError) as error:
        return Lineage(
            columns=dict.fromkeys((*model.columns, "*"), every),
            tables=rows,
            unresolved=str(error).splitlines()[0] if str(error) else type(error).__name__,
        )
    return Lineage(columns=columns, tables=tables | rows)


class Statement:
    """One SELECT, followed column by column. Raises UnresolvedError or SqlglotError if that cannot be done."""

    def __init__(self, sql: str, known: Mapping[str, Lineage]) -> None:
        self._known = known
        schema: dict[str, dict[str, dict[str, str]]] = {}
        for relation, lineage in known.items():
            folder, table = relation.split(".")
            schema.setdefault(folder, {})[table] = dict.fromkeys(lineage.columns, "unknown")
        self.expression = qualify(
            parse_one(sql, dialect=DIALECT),
            dialect=DIALECT,
            schema={DATABASE: schema},
            identify=False,
            validate_qualify_columns=False,
        )
        root = build_scope(self.expression)
        if root is None:
            raise UnresolvedError("it is no SELECT")
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._found: dict[int, dict[str, frozenset[Origin]]] = {}
        self.columns: Columns = self.outputs(root)
        self.tables: frozenset[str] = self._tables()

    def outputs(self, scope: Scope) -> dict[str, frozenset[Origin]]:
        """The origins of each column that a scope gives."""
        if id(scope) not in self._found:
            self._found[id(scope)] = self._outputs(scope)
        return self._found[id(scope)]

    def origins(self, expression: exp.Expr, scope: Scope) -> frozenset[Origin]:
        """Whatever an expression's value is computed from, subqueries in it included."""
        found: set[Origin] = set()
        for node in expression.walk(prune=lambda node: isinstance(node, exp.Select | exp.SetOperation)):
            if isinstance(node, exp.Select | exp.SetOperation):
                found |= self._everything_in(self._scopes[id(node)])
            elif isinstance(node, exp.Column):
                found |= self._column(node, scope)
            elif isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
                raise UnresolvedError("a star stands for columns that are not known")
        return frozenset(found)

    def scope_of(self, node: exp.Expr) -> Scope:
        """The innermost SELECT that a node stands in."""
        at: exp.Expr | None = node
        while at is not None:
            if isinstance(at, exp.Select) and id(at) in self._scopes:
                return self._scopes[id(at)]
            at = at.parent
        raise UnresolvedError("an expression stands in no SELECT")

    def _outputs(self, scope: Scope) -> dict[str, frozenset[Origin]]:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            left, right = (self.outputs(one) for one in scope.set_operation_scopes)
            if len(left) != len(right):
                raise UnresolvedError("the two sides of a set operation have different numbers of columns")
            merged = {name: left[name] | other for name, other in zip(left, right.values(), strict=True)}
            return _merged(merged) if _is_recursive(expression) else merged
        if not isinstance(expression, exp.Select):
            raise UnresolvedError(f"{type(expression).__name__} is not followed")
        found = {}
        for projection in expression.selects:
            if not projection.alias_or_name or projection.alias_or_name in found:
                raise UnresolvedError("a column has no name of its own")
            found[projection.alias_or_name] = self.origins(projection, scope)
        return found

    def _everything_in(self, scope: Scope) -> frozenset[Origin]:
        """A subquery inside an expression: its columns, and what decides which of its rows there are."""
        if isinstance(scope.expression, exp.SetOperation):
            return frozenset().union(*(self._everything_in(one) for one in scope.set_operation_scopes))
        parts = [scope.expression.args.get(part) for part in ("where", "group", "having", "qualify", "order")]
        conditions = [join.args.get("on") for join in scope.expression.args.get("joins") or ()]
        return frozenset[Origin]().union(
            *self.outputs(scope).values(),
            *(self.origins(part, scope) for part in (*parts, *conditions) if part is not None),
        )

    def _column(self, column: exp.Column, scope: Scope) -> frozenset[Origin]:
        at: Scope | None = scope
        while at is not None:
            if column.table and column.table in at.sources:
                return self._column_of(column.name, at.sources[column.table])
            at = at.parent
        raise UnresolvedError(f"{column.sql(DIALECT)} belongs to no table that is known")

    def _column_of(self, name: str, source: exp.Table | Scope) -> frozenset[Origin]:
        """A recursive query's own name stands for its first part, of which sqlglot gives a scope without sources."""
        if isinstance(source, exp.Table):
            columns = self._known_columns(source)
        else:
            columns = self.outputs(self._scopes.get(id(source.expression), source))
        if name not in columns:
            raise UnresolvedError(f"there is no column {name} in what it is read from")
        return columns[name]

    def _known_columns(self, table: exp.Table) -> Columns:
        relation = f"{table.db}.{table.name}"
        if relation not in self._known:
            raise UnresolvedError(f"it reads {relation}, which the purpose does not have")
        return self._known[relation].columns

    def _tables(self) -> frozenset[str]:
        named = [table for table in self.expression.find_all(exp.Table) if table.db and table.db != OWN_PREVIOUS_ROWS]
        for table in named:
            self._known_columns(table)
        return frozenset[str]().union(*(self._known[f"{table.db}.{table.name}"].tables for table in named))


def _merged(columns: dict[str, frozenset[Origin]]) -> dict[str, frozenset[Origin]]:
    """A recursive query's columns feed each other from round to round."""
    every = frozenset[Origin]().union(*columns.values())
    return dict.fromkeys(columns, every)


def _is_recursive(expression: exp.Expr) -> bool:
    cte = expression.parent
    return isinstance(cte, exp.CTE) and isinstance(cte.parent, exp.With) and bool(cte.parent.args.get("recursive"))
