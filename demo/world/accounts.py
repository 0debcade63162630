"""The people: accounts, provider profiles, offers, and how they change.

`people` is the world's own knowledge of them, one row a person, `person` being its row number: what the app knows and
what it does not (part played, habits, card). Only what the app knows goes into its tables.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world import identifiers, places, texts
from demo.world.categories import CATEGORIES
from demo.world.randomness import Ints, Texts, frame_of, generator, pick, stripe_ids, text_series, uuids, where
from demo.world.spec import DAY, HOUR
from demo.world.tables import stack

PROVIDER_SHARE = 0.15
EDITS_PER_DAY = 0.0006
USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
)
_AGENT_WEIGHTS = np.array([0.36, 0.27, 0.2, 0.12, 0.05])

# Within a planted group, what all share with its first member.
_SHARED: dict[str, tuple[str, ...]] = {
    "shared_cards": ("card_fingerprint", "card_last4", "card_brand"),
    "shared_devices": ("device_id", "ip", "user_agent", "anonymous_id", "referral_code"),
    "self_dealing": ("card_fingerprint", "card_last4", "card_brand", "device_id", "ip", "phone", "bank_account"),
    "fake_reviews": ("device_id", "ip", "user_agent"),
    "promotion_abuse": ("device_id", "ip", "user_agent"),
    "ban_evasion": ("device_id", "ip", "user_agent"),
    "duplicate_identity": ("national_id", "birth_date"),
}
PROMOTION = "VELKOMMEN"


def make_people(seed: int, step: int, cast: pl.DataFrame, ordinary: int, start: int, end: int) -> pl.DataFrame:
    """The cast and `ordinary` others, who join between `start` and `end`, ordered by when they joined."""
    rng = generator(seed, "people", step)
    others = frame_of(
        {
            "cast": [""] * ordinary,
            "cast_group": np.arange(ordinary),
            "cast_role": [""] * ordinary,
            "is_provider": rng.random(ordinary) < PROVIDER_SHARE if ordinary >= 40 else rng.random(ordinary) < 0.5,
        }
    )
    who = pl.concat([cast, others], how="vertical")
    count = who.height
    is_cast = (who["cast"] != "").to_numpy()
    # The cast has been there for a good while before it acts; supply comes first, then customers, ever faster.
    haste = np.where(who["is_provider"].to_numpy(), 1.5, 0.75)
    share = np.where(is_cast, rng.random(count) * 0.55, rng.random(count) ** haste)
    created = (start + share * (end - start)).astype(np.int64)
    # Who comes back after a ban does so shortly before the world's clock stops, and a promotion is of this season.
    returned = (who["cast_role"] == "returned").to_numpy()
    created = np.where(returned, end - 8 * DAY - (share * 4 * DAY).astype(np.int64), created)
    redeems = (who["cast"] == "promotion_abuse").to_numpy()
    created = np.where(redeems, end - 95 * DAY - (share * 20 * DAY).astype(np.int64), created)
    who = who.with_columns(pl.Series("created_at", created)).sort("created_at", maintain_order=True)
    frame = who.hstack(_identity(rng, who)).hstack(_habits(rng, who))
    frame = _households(rng, frame)
    for kind, columns in _SHARED.items():
        same = pl.col("cast") == kind
        first = [
            pl.when(same).then(pl.col(c).drop_nulls().first().over("cast", "cast_group")).otherwise(pl.col(c))
            for c in columns
        ]
        frame = frame.with_columns(first)
    return _untrue(frame)


def _untrue(frame: pl.DataFrame) -> pl.DataFrame:
    """What planted people state that is not so: numbers whose check digit is wrong, and one promotion redeemed by all."""
    is_false, redeems = pl.col("cast") == "false_company", pl.col("cast") == "promotion_abuse"
    wrong_digit = ((pl.col("bank_account").str.slice(-1).cast(pl.Int64) + 1) % 10).cast(pl.String)
    false_account = pl.col("bank_account").str.slice(0, 10) + wrong_digit
    return frame.with_columns(
        pl.when(is_false).then(false_account).otherwise("bank_account").alias("bank_account"),
        pl.when(is_false).then(pl.lit("31") + false_account.str.slice(-7)).otherwise("org_number").alias("org_number"),
        pl.when(redeems).then(pl.lit(PROMOTION)).otherwise("referral_code").alias("referral_code"),
    )


def _identity(rng: np.random.Generator, who: pl.DataFrame) -> pl.DataFrame:
    count = who.height
    provider = who["is_provider"].to_numpy()
    created = who["created_at"].to_numpy()
    place = pick(rng, places.numbers("weight") * np.ones(len(places.PLACES)), count)
    first, last = texts.first_and_last_names(rng, count)
    account_ids = uuids(rng, count)
    birth_days = (created // DAY - rng.integers(19 * 365, 75 * 365, count)).astype(np.int64)
    birth_days = np.where((rng.random(count) < 0.005) & ~provider, created // DAY - 17 * 365, birth_days)
    has_org = provider & (rng.random(count) < 0.3)
    org_numbers = np.full(count, None, dtype=object)
    org_numbers[has_org] = identifiers.organisation_numbers(rng, int(has_org.sum()))
    national = np.full(count, None, dtype=object)
    national[provider] = identifiers.national_ids(rng, birth_days[provider])
    banks = np.full(count, None, dtype=object)
    banks[provider] = identifiers.bank_accounts(rng, int(provider.sum()))
    birth_known = provider | (rng.random(count) < 0.9)
    return frame_of(
        {
            "account_id": account_ids,
            "first_name": first,
            "last_name": last,
            "full_name": first + " " + last,
            "email": _emails(rng, first, last),
            "phone": where(rng.random(count) < 0.96, identifiers.phones(rng, count)),
            "birth_date": pl.Series(birth_days).set(pl.Series(~birth_known), None),
            "national_id": text_series(national),
            "org_number": text_series(org_numbers),
            "bank_account": text_series(banks),
            "address_line": _addresses(rng, count),
            "place": place,
            "latitude": np.round(places.numbers("latitude")[place] + rng.normal(0, 0.012, count), 5),
            "longitude": np.round(places.numbers("longitude")[place] + rng.normal(0, 0.02, count), 5),
        },
    )


def _habits(rng: np.random.Generator, who: pl.DataFrame) -> pl.DataFrame:
    count = who.height
    provider = who["is_provider"].to_numpy()
    ordinary = (who["cast"] == "").to_numpy()
    keys = rng.integers(0, 2**62, count)
    customer = (rng.random(count) < 0.8) | (~ordinary)
    return frame_of(
        {
            "customer_weight": np.where(
                ordinary & customer, rng.gamma(0.7, 1.0, count) * np.where(provider, 0.3, 1), 0
            ),
            "quality": rng.beta(5, 2, count),
            "reply_minutes": np.exp(rng.normal(3.6, 0.9, count)),
            "price_factor": np.exp(rng.normal(0, 0.14, count)),
            "device_id": identifiers.device_ids(rng, count),
            "second_device_id": identifiers.device_ids(rng, count),
            "ip": identifiers.home_addresses(rng, count),
            "user_agent": np.array(USER_AGENTS, dtype=object)[pick(rng, _AGENT_WEIGHTS, count)],
            "anonymous_id": uuids(rng, count),
            "stripe_customer_id": where(customer, stripe_ids("cus", keys)),
            "stripe_account_id": where(provider, stripe_ids("acct", keys)),
            "card_fingerprint": np.array([f[2:18] for f in stripe_ids("", keys, salt="fingerprint")], dtype=object),
            "card_last4": np.array([f"{n:04d}" for n in rng.integers(0, 10_000, count)], dtype=object),
            "card_brand": np.where(rng.random(count) < 0.7, "visa", "mastercard"),
            "referral_code": where(
                rng.random(count) < 0.1, np.array([f"VENN{n}" for n in rng.integers(100, 999, count)], dtype=object)
            ),
            "vat_registered": rng.random(count) < 0.5,
            "analytics_consent": rng.random(count) < 0.78,
            "marketing_consent": rng.random(count) < 0.46,
            "person_key": keys,
            "gone": np.zeros(count, dtype=bool),
        },
    )


def _households(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Some live together: same name, address and line, some with a shared device. They are nobody's fraud."""
    ordinary = (frame["cast"] == "").to_numpy()
    joins = (rng.random(frame.height) < 0.06) & ordinary & np.roll(ordinary, 1)
    joins[np.flatnonzero(ordinary & np.roll(ordinary, 1))[1:2]] = True  # one household at least
    joins[0] = False
    source = np.where(joins, np.arange(frame.height) - 1, np.arange(frame.height))
    shares_device = np.where(joins & (rng.random(frame.height) < 0.5), source, np.arange(frame.height))
    copied = ("last_name", "address_line", "place", "latitude", "longitude", "ip")
    return frame.with_columns(
        [frame[column].gather(source) for column in copied]
        + [frame[column].gather(shares_device) for column in ("device_id", "anonymous_id")]
    ).with_columns(full_name=pl.col("first_name") + " " + pl.col("last_name"))


def _emails(rng: np.random.Generator, first: Texts, last: Texts) -> Texts:
    """Addresses under reserved names; the number makes them differ."""
    count = len(first)
    hosts = np.array(texts.MAIL_HOSTS, dtype=object)[rng.integers(0, len(texts.MAIL_HOSTS), count)]
    numbers = rng.integers(1, 10**6, count)
    plain = str.maketrans("æøåÆØÅ", "eoaEOA")
    made = [
        f"{f}.{n}{number}@{host}".lower().translate(plain)
        for f, n, number, host in zip(first, last, numbers, hosts, strict=True)
    ]
    return np.array(made, dtype=object)


def _addresses(rng: np.random.Generator, count: int) -> Texts:
    streets = np.array([s + e for s in texts.STREETS for e in texts.STREET_ENDS], dtype=object)
    numbers = rng.integers(1, 120, count).astype(str).astype(object)
    chosen: Texts = streets[rng.integers(0, len(streets), count)] + " " + numbers
    return chosen


def numbered(people: pl.DataFrame) -> pl.DataFrame:
    """The people with their row number as `person`."""
    return people.drop("person", strict=False).with_row_index("person").with_columns(pl.col("person").cast(pl.Int64))


def account_versions(seed: int, step: int, people: pl.DataFrame, now: int) -> pl.DataFrame:
    """Each account when it joined, when its age was verified, where a contact detail changed, and when it was closed.

    `people` has the details that hold now; the versions before a change have older ones.
    """
    rng = generator(seed, "account versions", step)
    count = people.height
    created = people["created_at"].to_numpy()
    base = _account_rows(rng, people)
    days = np.maximum((now - created) / DAY, 0)
    edited = rng.random(count) < 1 - np.exp(-EDITS_PER_DAY * days)
    old_phone, old_email = identifiers.phones(rng, count), _emails(rng, *_names(people))
    moved = edited & (created < now - 4 * DAY)
    since = (rng.random(count) * np.maximum(now - created - 4 * DAY, 0)).astype(np.int64)
    changed_at = pl.Series(created + 3 * DAY + since)
    edits_phone = rng.random(count) < 0.6
    older = base.with_columns(
        pl.when(pl.Series(moved & edits_phone)).then(text_series(old_phone)).otherwise("phone").alias("phone"),
        pl.when(pl.Series(moved & ~edits_phone)).then(text_series(old_email)).otherwise("email").alias("email"),
    )
    is_quiet = (pl.col("customer_weight") == 0) & (pl.col("cast") == "") & ~pl.col("is_provider")
    is_suspended = pl.col("cast").is_in(["spam", "harassment", "privacy:banned"])
    return stack(
        [
            older.with_columns(age_verified_at=pl.lit(None, pl.Int64)),
            older.filter(pl.col("age_verified_at").is_not_null()).with_columns(valid_from="age_verified_at"),
            base.with_columns(valid_from=changed_at).filter(pl.Series(moved)),
            base.with_columns(valid_from=changed_at, status=pl.lit("closed")).filter(is_quiet & pl.Series(edited)),
            base.with_columns(valid_from=pl.lit(now - 20 * DAY), status=pl.lit("suspended")).filter(is_suspended),
        ]
    )


def _account_rows(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """What `app.account` has of people, as active accounts."""
    count = people.height
    place = people["place"].to_numpy()
    own = (
        "account_id", "created_at", "full_name", "email", "phone", "birth_date", "national_id", "address_line", "latitude",
        "longitude", "is_provider", "referral_code", "stripe_customer_id", "person", "cast", "customer_weight",
    )  # fmt: skip
    verified = people["is_provider"].to_numpy() | (rng.random(count) < 0.88)
    verified_at = pl.Series(people["created_at"].to_numpy() + rng.integers(300, 3 * DAY, count))
    return people.select(own).with_columns(
        text_series(places.column("postal_code")[place], "postal_code"),
        text_series(places.column("city")[place], "city"),
        pl.lit("active").alias("status"),
        verified_at.set(pl.Series(~verified), None).alias("age_verified_at"),
        pl.Series("push_opt_in", rng.random(count) < 0.8),
        pl.Series("sms_opt_in", rng.random(count) < 0.7),
        pl.Series("email_opt_in", rng.random(count) < 0.75),
        pl.col("created_at").alias("valid_from"),
    )


def _names(people: pl.DataFrame) -> tuple[Texts, Texts]:
    return people["first_name"].to_numpy(), people["last_name"].to_numpy()


def profile_versions(seed: int, step: int, people: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """The profiles of all providers: made when they joined, published a little later."""
    rng = generator(seed, "profiles", step)
    providers = people.filter("is_provider")
    count = providers.height
    bios = texts.fill(rng, texts.BIO, providers)
    company = providers["last_name"] + np.array([" Service", " & Co", " Hjem"], dtype=object)[rng.integers(0, 3, count)]
    base = providers.select(
        "account_id",
        "org_number",
        "bank_account",
        "stripe_account_id",
        "created_at",
        "person",
        "cast",
        pl.when(pl.col("org_number").is_not_null())
        .then(company)
        .otherwise(pl.col("first_name") + " " + pl.col("last_name").str.slice(0, 1) + ".")
        .alias("display_name"),
        bios.alias("bio"),
        pl.col("vat_registered") & pl.col("org_number").is_not_null(),
        pl.Series("radius_km", rng.choice(np.array([5.0, 10.0, 15.0, 25.0, 50.0]), count)),
        (pl.col("created_at") + pl.Series(rng.integers(HOUR, 2 * DAY, count))).alias("published_at"),
    )
    slugs = dict(enumerate([category.slug for category in CATEGORIES], start=1))
    skills = (
        offers.select(
            account_id="provider_id", skill=pl.col("category_id").replace_strict(slugs, return_dtype=pl.String)
        )
        .group_by("account_id", maintain_order=True)
        .agg(skills="skill")
    )
    base = base.join(skills, on="account_id", how="left", maintain_order="left")
    draft = base.with_columns(
        valid_from=pl.col("created_at") + 60,
        published_at=pl.lit(None, pl.Int64),
        stripe_account_id=pl.lit(None, pl.String),
    )
    return stack([draft, base.with_columns(valid_from=pl.col("published_at"))])


def make_offers(seed: int, step: int, people: pl.DataFrame, first_offer_id: int) -> pl.DataFrame:
    """One to three offers a provider, of which the first go round the categories so that each has somebody.

    Columns of `service_offer` and the provider's row number `provider`; `in_pool`: chance may send requests there.
    """
    rng = generator(seed, "offers", step)
    providers = people.filter("is_provider")
    count = providers.height
    ordinary = (providers["cast"] == "").to_numpy()
    weights = np.array([category.weight for category in CATEGORIES])
    main = pick(rng, weights, count)
    order = np.cumsum(ordinary) - 1
    early = ordinary & (order < 2 * len(CATEGORIES))
    main[early] = order[early] % len(CATEGORIES)
    extra = [(main + rng.integers(1, len(CATEGORIES), count)) % len(CATEGORIES) for _ in range(2)]
    many = rng.random(count)
    rows = [np.arange(count), np.flatnonzero(many < 0.55), np.flatnonzero(many < 0.2)]
    who = np.concatenate(rows)
    category = np.concatenate([main, extra[0][rows[1]], extra[1][rows[2]]])
    who, category = _distinct(who, category)
    order_of_rows = np.lexsort((category, who))
    who, category = who[order_of_rows], category[order_of_rows]
    price = np.array([c.price_nok for c in CATEGORIES])[category] * providers["price_factor"].to_numpy()[who]
    price *= places.numbers("price_factor")[providers["place"].to_numpy()[who]]
    titles = [CATEGORIES[c].titles[i % len(CATEGORIES[c].titles)] for c, i in zip(category, who, strict=True)]
    created = providers["created_at"].to_numpy()[who] + rng.integers(HOUR, 2 * DAY, len(who))
    return frame_of(
        {
            "offer_id": np.arange(first_offer_id, first_offer_id + len(who)),
            "provider": providers["person"].to_numpy()[who],
            "provider_id": providers["account_id"].gather(who),
            "category_id": category + 1,
            "title": titles,
            "price_nok": np.round(price / 5) * 5.0,
            "price_unit": [CATEGORIES[c].unit for c in category],
            "active": rng.random(len(who)) < 0.94,
            "created_at": created,
            "description": texts.fill(rng, texts.OFFER, providers[who]),
            "in_pool": ordinary[who],
        }
    ).with_columns(pl.col("active") | pl.col("in_pool"))


def _distinct(who: Ints, category: Ints) -> tuple[Ints, Ints]:
    _, first = np.unique(who * 1_000 + category, return_index=True)
    return who[first], category[first]


def offer_versions(seed: int, step: int, offers: pl.DataFrame, now: int) -> pl.DataFrame:
    """Each offer as it was made and, for a third of them, before its price last went up."""
    rng = generator(seed, "offer versions", step)
    raised = pl.Series(rng.random(offers.height) < 0.33)
    share = pl.Series(rng.random(offers.height))
    raised_at = pl.col("created_at") + ((now - pl.col("created_at")).clip(0) * share).cast(pl.Int64)
    first_price = pl.when(raised).then(((pl.col("price_nok") * 0.93) / 5).round() * 5).otherwise("price_nok")
    return stack(
        [
            offers.with_columns(price_nok=first_price, valid_from="created_at"),
            offers.with_columns(valid_from=raised_at).filter(raised),
        ]
    )
