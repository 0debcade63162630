"""Whose an event without a `userId` is: the account that its cookie belongs to.

The rule goes by days (UTC, of `receivedAt`), since no purpose has finer times in common:
- a cookie that was only ever seen with one account is that account's: all of its events are, earlier and later ones;
- a cookie seen with several accounts is a shared device, and nobody's as such. An event of it belongs to an account only
  if the last sighting up to that day and the next one from that day on are both of that account alone; every other
  stays nobody's. What had been given to the first account, when no other was known, is taken from it again.
The vault keeps every sighting (cookie, account, day) as keyed hashes, so that the outcome does not depend on the order in
which events came; those of an erased account on a shared device stay, as its tombstone does, so that none of the
erased person's events enters again and none of them becomes the other's.
"""

EVENT = ("events", "event")


def owners_sql(visits: str) -> str:
    """SQL for whose the events of `visits` (cookie_hash, day) are: (cookie_hash, day, account_hash), only of those that are
    somebody's. The vault is attached."""
    links = f"vault.cookie_link WHERE cookie_hash IN (SELECT cookie_hash FROM {visits})"
    only = "CASE WHEN min(account_hash) = max(account_hash) THEN min(account_hash) END"
    return f"""
        WITH cookie AS (SELECT cookie_hash, {only} AS account_hash FROM {links} GROUP BY cookie_hash),
        sighting AS (SELECT cookie_hash, seen_on, {only} AS account_hash FROM {links} GROUP BY cookie_hash, seen_on),
        found AS (
            SELECT
                visit.cookie_hash, visit.day,
                coalesce(
                    cookie.account_hash,
                    CASE WHEN earlier.account_hash = later.account_hash THEN earlier.account_hash END
                ) AS account_hash
            FROM (SELECT DISTINCT cookie_hash, day FROM {visits}) AS visit
            JOIN cookie ON cookie.cookie_hash = visit.cookie_hash
            ASOF LEFT JOIN sighting AS earlier
                ON earlier.cookie_hash = visit.cookie_hash AND visit.day >= earlier.seen_on
            ASOF LEFT JOIN sighting AS later ON later.cookie_hash = visit.cookie_hash AND visit.day <= later.seen_on
        )
        SELECT cookie_hash, day, account_hash FROM found WHERE account_hash IS NOT NULL"""
