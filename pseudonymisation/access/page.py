"""The export as one page for people: Norwegian and English, no script, nothing fetched, fit for a phone and for paper.

Both languages are whole articles. A style sheet shows one of them: the Norwegian, unless the address points into the
English. Without styles both are there, one below the other.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from html import escape

from pseudonymisation.access.document import (
    OTHER_PARTY,
    YOU,
    Export,
    FraudFlag,
    Gap,
    HeldTable,
    PurposeSection,
    RecipientSection,
    Row,
    RowTable,
    Value,
)
from pseudonymisation.access.names import category_name, field_name, table_name
from pseudonymisation.access.page_style import STYLE
from pseudonymisation.access.wording import (
    LANGUAGES,
    PARAMETERS,
    PEOPLE,
    PURPOSES,
    READERS,
    RECIPIENTS,
    SOURCES,
    STATES,
    TREATMENTS,
    VALUES,
    Language,
    policy_words,
    text,
    word,
)

ROWS_SHOWN, CARDS_SHOWN = 50, 20
"""Of a longer table the page shows the first rows; the JSON file has all."""
ROWS_UNFOLDED = 2
COLUMNS_OF_A_TABLE = 7
"""Wider rows are shown as cards, which need no sideways scrolling."""


TIME, DAY = "%d.%m.%Y %H:%M", "%d.%m.%Y"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}($|T\d{2}:\d{2})")


def render_page(export: Export) -> str:
    """The page as HTML."""
    export = _calling_them_you(export)
    articles = "\n".join(_article(export, language) for language in LANGUAGES)
    return (
        '<!doctype html>\n<html lang="nb">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{text('title', 'nb')} – {text('title', 'en')}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{articles}\n</main>\n</body>\n</html>\n"
    )


def _calling_them_you(export: Export) -> Export:
    """The same with the person's own account id, which tells them nothing, as "you" wherever it refers to their account."""
    accounts = {
        row.fields.get("account_id")
        for source in export.sources
        for table in source.tables
        for row in table.rows
        if (source.source, table.name) == ("app_db", "account")
    }
    return export.model_copy(
        update={
            "sources": [
                source.model_copy(
                    update={"tables": [_renamed(source.source, table, accounts) for table in source.tables]}
                )
                for source in export.sources
            ]
        }
    )


def _renamed(source: str, table: RowTable, accounts: set[Value | None]) -> RowTable:
    if (source, table.name) == ("app_db", "account"):
        return table
    rows = [
        row.model_copy(
            update={
                "fields": {
                    name: YOU if isinstance(value, str) and value in accounts else value
                    for name, value in row.fields.items()
                }
            }
        )
        for row in table.rows
    ]
    return table.model_copy(update={"rows": rows})


def _article(export: Export, lang: Language) -> str:
    sections = [
        ("summary", _summary(export, lang)),
        ("rights", _rights(export, lang)),
        ("sources", _sources(export, lang)),
        ("purposes", _purposes(export, lang)),
        ("recipients", _recipients(export, lang)),
        ("others", _other_zones(export, lang)),
        ("flags", _flags(export.fraud_flags, lang)),
        ("requests", _requests(export, lang)),
        ("elsewhere", f"<p>{_say('elsewhere_text', lang)}</p>"),
    ]
    other: Language = "en" if lang == "nb" else "nb"
    links = "".join(f'<li><a href="#{lang}-{key}">{_say(key, lang)}</a></li>' for key, _ in sections)
    body = "\n".join(
        f'<section id="{lang}-{key}" aria-labelledby="{lang}-{key}-h"><h2 id="{lang}-{key}-h">{_say(key, lang)}</h2>{content}</section>'
        for key, content in sections
    )
    made = _say(
        "made",
        lang,
        made=f"{export.made_at:{TIME}}",
        number=export.privacy_request_id,
        gone=_day(export.deletes_itself_on, lang),
    )
    return (
        f'<article id="{lang}" lang="{lang}">\n<header>'
        f'<p class="switch"><a href="#{other}" lang="{other}" hreflang="{other}">{_say("switch", lang)}</a></p>'
        f"<h1>{_say('title', lang)}</h1><p>{made} {_say('times', lang)}</p>{_completeness(export, lang)}</header>\n"
        f'<nav aria-label="{_say("contents", lang)}"><ul>{links}</ul></nav>\n{body}\n</article>'
    )


def _completeness(export: Export, lang: Language) -> str:
    if export.is_complete:
        return f'<p class="whole">{_say("complete", lang)}</p>'
    return (
        f'<div class="gap" role="note"><p><strong>{_say("incomplete", lang)}</strong></p>'
        f"<p>{_say('incomplete_what', lang, contact=export.contact)}</p><ul>{_gaps(export.gaps, lang)}</ul></div>"
    )


def _gaps(gaps: Iterable[Gap], lang: Language) -> str:
    """Places only: the reasons are for whoever runs the system, and stand in the JSON file."""
    places = dict.fromkeys(gap.place for gap in gaps)
    return "".join(f"<li>{escape(word(SOURCES, place, lang))}</li>" for place in places)


def _summary(export: Export, lang: Language) -> str:
    counts = [
        *((word(SOURCES, one.source, lang), _count(one.tables)) for one in export.sources),
        *((_purpose_name(one, lang), _count(one.stored)) for one in export.purposes),
        (text("landing", lang), _count(export.landing)),
        (text("quarantine", lang), len(export.quarantine)),
        (text("held_zone", lang), sum(len(one.rows) for one in export.held)),
    ]
    rows = [[escape(place), str(count)] for place, count in counts]
    return f"<p>{_say('summary_text', lang)}</p>" + _grid([text("place", lang), text("rows", lang)], rows, numbers={1})


def _rights(export: Export, lang: Language) -> str:
    keys = ("access", "correction", "erasure", "objection", "portability", "no_automation", "complaint")
    items = "".join(f"<li>{_say(f'right_{key}', lang, contact=export.contact)}</li>" for key in keys)
    return f"<p>{_say('controller', lang, contact=export.contact)}</p><ul>{items}</ul>"


def _sources(export: Export, lang: Language) -> str:
    parts = [f"<p>{_say('sources_text', lang)}</p>"]
    for source in export.sources:
        parts.append(f"<h3>{escape(word(SOURCES, source.source, lang))}</h3>")
        parts += [_table(table, lang, 4) for table in source.tables] or [f"<p>{_say('nothing', lang)}</p>"]
    return "".join(parts)


def _purposes(export: Export, lang: Language) -> str:
    return f"<p>{_say('purposes_text', lang)}</p>" + "".join(_purpose(one, lang) for one in export.purposes)


def _purpose(purpose: PurposeSection, lang: Language) -> str:
    english = (purpose.title, purpose.what_for, purpose.basis_reason)
    title, what_for, reason = policy_words(PURPOSES, purpose.name, lang, english)
    facts = {
        text("what_for", lang): what_for,
        text("basis", lang): f"GDPR art. {purpose.basis_article}: {reason}",
        text("kept", lang): _period(purpose.retention_days, lang),
        text("readers", lang): ", ".join(word(READERS, reader, lang) for reader in purpose.readers),
    }
    if purpose.held_by_law:
        facts[text("held_by_law", lang)] = purpose.held_by_law
    parts = [f"<h3>{escape(title)}</h3>", _card({name: escape(value) for name, value in facts.items()})]
    if not purpose.stored:
        return "".join([*parts, f"<p>{_say('nothing', lang)}</p>"])
    parts.append(_folded(f"<h4>{_say('gets', lang)}</h4>", _treatments(purpose, lang)))
    parts.append(f"<h4>{_say('stored', lang)}</h4>" + "".join(_table(table, lang, 5) for table in purpose.stored))
    if purpose.computed:
        tables = "".join(_table(table, lang, 5) for table in purpose.computed)
        parts.append(f"<h4>{_say('computed', lang)}</h4>{tables}")
    published = _say("published_text", lang, count=_count(purpose.published))
    parts.append(f"<h4>{_say('published', lang)}</h4><p>{published}</p>")
    return "".join(parts)


def _treatments(purpose: PurposeSection, lang: Language) -> str:
    rows = [
        [
            escape(table_name(one.table, lang)),
            escape(field_name(one.column, lang)),
            escape(category_name(one.category, lang)),
            escape(_treatment(one.treatment, one.parameter, lang)),
        ]
        for one in purpose.gets
    ]
    return _grid([text(key, lang) for key in ("table", "field", "category", "treatment")], rows)


def _treatment(name: str, parameter: object, lang: Language) -> str:
    shown = word(PARAMETERS, str(parameter), lang) if isinstance(parameter, str) else parameter
    return word(TREATMENTS, name, lang).format(parameter=shown)


def _recipients(export: Export, lang: Language) -> str:
    named = "".join(_recipient(one, lang) for one in export.recipients) or f"<p>{_say('nothing', lang)}</p>"
    return f"<p>{_say('recipients_text', lang)}</p>{named}"


def _recipient(recipient: RecipientSection, lang: Language) -> str:
    english = (recipient.title, recipient.what_for, recipient.basis_reason)
    title, what_for, reason = policy_words(RECIPIENTS, recipient.name, lang, english)
    facts = {
        text("what_for", lang): what_for,
        text("basis", lang): f"GDPR art. {recipient.basis_article}: {reason}",
        text("recipient_gets", lang): ", ".join(field_name(name.partition(".")[2], lang) for name in recipient.gets),
        text("since", lang): _day(recipient.since, lang) if recipient.since else "–",
    }
    card = _card({name: escape(value) for name, value in facts.items()})
    unsent = _table(RowTable(name="notice", rows=recipient.unsent), lang, 4) if recipient.unsent else ""
    return f"<h3>{escape(title)}</h3>{card}{unsent}"


def _other_zones(export: Export, lang: Language) -> str:
    nothing = f"<p>{_say('nothing', lang)}</p>"
    quarantined = [
        [
            escape(one.source),
            escape(one.reason),
            str(one.bytes),
            _day(one.quarantined_at, lang),
            _day(one.deleted_on, lang),
        ]
        for one in export.quarantine
    ]
    heads = [text(key, lang) for key in ("place", "reason", "bytes", "since", "gone")]
    return "".join(
        [
            f"<h3>{_say('landing', lang)}</h3><p>{_say('landing_text', lang)}</p>",
            "".join(_table(table, lang, 4) for table in export.landing) or nothing,
            f"<h3>{_say('quarantine', lang)}</h3><p>{_say('quarantine_text', lang)}</p>",
            _grid(heads, quarantined, numbers={2}) if quarantined else nothing,
            f"<h3>{_say('held_zone', lang)}</h3>",
            "".join(_held(one, lang) for one in export.held) or nothing,
            f"<h3>{_say('registry_answers', lang)}</h3>",
            _table(RowTable(name="answer", rows=export.registry_answers), lang, 4)
            if export.registry_answers
            else nothing,
            f"<h3>{_say('vault', lang)}</h3>{_vault(export, lang)}",
        ]
    )


def _held(held: HeldTable, lang: Language) -> str:
    name = f"{held.purpose}.{held.table}"
    return f"<p>{escape(held.statute)}</p>" + _table(RowTable(name=name, rows=held.rows), lang, 4)


def _vault(export: Export, lang: Language) -> str:
    vault = export.vault
    lines = [_say("vault_secret" if vault.has_secret else "vault_none", lang)]
    if vault.aliases:
        listed = ", ".join(f"{word(STATES, kind, lang)}: {count}" for kind, count in vault.aliases.items())
        lines.append(_say("vault_aliases", lang, list=listed))
    lines.append(_say("vault_links", lang, count=vault.cookie_links))
    if vault.tombstones:
        listed = ", ".join(vault.erasure_certificates) or "–"
        lines.append(_say("vault_tombstones", lang, list=listed, count=vault.tombstones))
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"


def _flags(flags: Sequence[FraudFlag], lang: Language) -> str:
    return f"<p>{_say('flags_text', lang)}</p>" + (
        "".join(_flag(flag, lang) for flag in flags) or f"<p>{_say('nothing', lang)}</p>"
    )


def _flag(flag: FraudFlag, lang: Language) -> str:
    about = _say(
        "flag_since",
        lang,
        day=_day(flag.first_seen_at, lang),
        end=_day(flag.expires_at, lang),
        status=word(STATES, flag.status, lang),
        score=_number(flag.score, lang),
    )
    reasons = []
    for reason in flag.reasons:
        said = escape(reason.text_nb if lang == "nb" else reason.text_en)
        if reason.value is not None and reason.threshold is not None:
            value, threshold = _number(reason.value, lang), _number(reason.threshold, lang)
            said += f" ({_say('flag_value', lang, value=value, threshold=threshold)})"
        reasons.append(f"<li>{said}</li>")
    return f"<p>{about}</p><ul>{''.join(reasons)}</ul>"


def _requests(export: Export, lang: Language) -> str:
    rows = [
        [
            str(one.privacy_request_id),
            escape(word(STATES, one.kind, lang)),
            _day(one.requested_at, lang),
            escape(word(STATES, one.receipt_state, lang)) if one.receipt_state else "–",
            f'<span lang="nb">{escape(one.receipt_explanation)}</span>' if one.receipt_explanation else "–",
        ]
        for one in export.privacy_requests
    ]
    return _grid([text(key, lang) for key in ("number", "kind", "requested", "state", "answer")], rows)


def _table(table: RowTable, lang: Language, level: int) -> str:
    """A table's rows under a heading: as a grid where they are narrow, else as cards. Rows that say nothing are counted."""
    telling = [row for row in table.rows if _tells(row)]
    cells = [_cells(row, lang) for row in telling[:ROWS_SHOWN]]
    names = list(dict.fromkeys(name for row in cells for name in row))
    is_grid = len(names) <= COLUMNS_OF_A_TABLE and len(cells) > 1
    shown = cells if is_grid else cells[:CARDS_SHOWN]
    heading = f"<h{level}>{escape(table_name(table.name, lang))} <small>({len(table.rows)})</small></h{level}>"
    parts = []
    if len(telling) > len(shown):
        parts.append(f"<p>{_say('some', lang, shown=len(shown), count=len(telling))}</p>")
    if is_grid:
        parts.append(_grid(names, [[row.get(name, "–") for name in names] for row in shown]))
    else:
        parts += [_card(row) for row in shown]
    if len(table.rows) > len(telling):
        parts.append(f"<p>{_say('bare', lang, count=len(table.rows) - len(telling))}</p>")
    return _folded(heading, "".join(parts), is_open=len(shown) <= ROWS_UNFOLDED)


def _folded(heading: str, content: str, *, is_open: bool = False) -> str:
    """A part that opens on a click, without a script; on paper it is open."""
    return f"<details{' open' if is_open else ''}><summary>{heading}</summary>{content}</details>"


def _tells(row: Row) -> bool:
    """Whether a row says more than that it names the person."""
    return any(value not in (YOU, OTHER_PARTY) for value in row.fields.values())


def _cells(row: Row, lang: Language) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in row.fields.items():
        label = field_name(name, lang)
        cells[label if label not in cells else name] = _shown(value, lang)
    if row.on_erasure is not None:
        fate = text(row.on_erasure, lang)
        if row.held_until is not None and row.on_erasure != "held":
            fate += "; " + text("held_until", lang, day=_day(row.held_until, lang))
        cells[text("on_erasure", lang)] = escape(fate)
    return cells


def _card(cells: Mapping[str, str]) -> str:
    return "<dl>" + "".join(f"<div><dt>{escape(n)}</dt><dd>{v}</dd></div>" for n, v in cells.items()) + "</dl>"


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: set[int] | None = None) -> str:
    """A table with its roles written out, as a phone's style sheet lays the cells below each other. Cells are HTML."""
    head = "".join(f'<th scope="col" role="columnheader">{escape(one)}</th>' for one in heads)
    marks = [' class="n"' if position in (numbers or ()) else "" for position in range(len(heads))]
    body = "".join(
        '<tr role="row">'
        + "".join(
            f'<td role="cell" data-label="{escape(head)}"{mark}>{cell}</td>'
            for head, mark, cell in zip(heads, marks, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<table role="table"{" class=narrow" if len(heads) == 2 else ""}><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def _say(key: str, lang: Language, **values: object) -> str:
    return escape(text(key, lang, **values))


def _count(tables: Iterable[RowTable]) -> int:
    return sum(len(table.rows) for table in tables)


def _purpose_name(purpose: PurposeSection, lang: Language) -> str:
    return policy_words(PURPOSES, purpose.name, lang, (purpose.title, "", ""))[0]


def _shown(value: Value, lang: Language) -> str:
    if isinstance(value, bool):
        return text("yes" if value else "no", lang)
    if isinstance(value, int | float):
        return _number(value, lang)
    if isinstance(value, list):
        return escape(", ".join(word(PEOPLE, one, lang) if one in PEOPLE else one for one in value))
    if value in PEOPLE:
        return f"<em>{escape(word(PEOPLE, value, lang))}</em>"
    if lang == "nb" and value in VALUES:
        return VALUES[value]
    moment = _as_moment(value)
    if moment is None:
        return escape(value)
    return f"<time>{moment:{TIME if len(value) > len('2026-11-15') else DAY}}</time>"


def _as_moment(value: str) -> datetime | None:
    if not _TIME.match(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _day(value: date, lang: Language) -> str:
    return f"{value:%d.%m.%Y}" if lang == "nb" else f"{value.day} {value:%B %Y}"


def _number(value: float, lang: Language) -> str:
    shown = f"{value:.10g}"
    return shown.replace(".", ",") if lang == "nb" else shown


def _period(days: int, lang: Language) -> str:
    years = round(days / 365.25)
    whole = years > 1 and abs(days - years * 365.25) < 3
    return text("years", lang, count=years) if whole else text("days", lang, count=days)
