"""JSON lines by template: an object of Stripe's with some fields taken from columns, rendered for all rows at once."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

SHAPES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "stripe_objects.json").read_text(encoding="utf-8")
)
_MARK = re.compile(r'"@@(\d+)@@"')


def text(column: str | pl.Expr) -> pl.Expr:
    """A column of plain texts as JSON: in quotation marks, or null. The texts hold nothing that JSON would escape."""
    expression = pl.col(column) if isinstance(column, str) else column
    return (pl.lit('"') + expression.cast(pl.String) + pl.lit('"')).fill_null("null")


def raw(column: str | pl.Expr) -> pl.Expr:
    """A column of numbers, booleans or ready JSON as it is, or null."""
    expression = pl.col(column) if isinstance(column, str) else column
    return expression.cast(pl.String).fill_null("null")


def changed(shape: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The shape with the given fields, by dotted path, put in place. A path that the shape lacks is an error."""
    made = copy.deepcopy(shape)
    for path, value in fields.items():
        *parents, last = path.split(".")
        target = made
        for parent in parents:
            target = target[parent]
        if last not in target:
            raise KeyError(f"no field {path} in this shape")
        target[last] = value
    return made


def rendered(template: Any) -> pl.Expr:
    """An expression that renders the template, in which any value may be an expression that yields JSON."""
    expressions: list[pl.Expr] = []

    def mark(value: object) -> str:
        if not isinstance(value, pl.Expr):
            raise TypeError(f"{type(value).__name__} is no JSON")
        expressions.append(value)
        return f"@@{len(expressions) - 1}@@"

    dumped = json.dumps(template, default=mark, ensure_ascii=False, separators=(",", ":"))
    pieces = _MARK.split(dumped)
    parts = [
        pl.lit(piece) if position % 2 == 0 else expressions[int(piece)]
        for position, piece in enumerate(pieces)
        if piece
    ]
    return pl.concat_str(parts)


def metadata(*names: tuple[str, str]) -> pl.Expr:
    """`metadata` from columns: pairs of a name in Stripe and a column of this world."""
    parts: list[pl.Expr] = []
    for position, (name, column) in enumerate(names):
        parts += [pl.lit(f'{"," if position else "{"}"{name}":"'), pl.col(column).cast(pl.String), pl.lit('"')]
    return pl.concat_str([*parts, pl.lit("}")])
