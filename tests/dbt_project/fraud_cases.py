"""One case for each fraud rule, and innocent people who look much like it. `EXPECTED` says who is hit by which rule."""

from tests.dbt_project.market_by_hand import Market, ago
from tests.dbt_project.purpose_project import PurposeProject

# Who is hit by which rule. Everybody else in the market is innocent.
EXPECTED: dict[str, set[str]] = {
    "ATO01": {"guessed at", "robbed provider"},
    "ATO02": {"visited from abroad", "visited after failures", "robbed provider", "edited long after"},
    "ATO03": {"robbed provider"},
    "DEV01": {"six devices", "impatient", "settled"},
    "DEV02": {"twenty-five networks"},
    "DEV03": {"four countries"},
    "ID01": {"phone a", "phone b"},
    "ID02": {"card a", "card b", "card c", "device a", "device b", "device c", "mule a", "mule b"},
    "ID03": {"friend of banned"},
    "ID04": {"twin a", "twin b"},
    "COL01": {"own customer", "own provider"},
    "COL02": {"concentrated customer", "concentrated provider"},
    "COL03": {"instant customer", "instant provider"},
    "REV01": {"invented author", "circle author", "praised by invention"},
    "REV02": {"suddenly praised"},
    "CHT01": {"poacher"},
    "CHT02": {"advertiser"},
    "PAY01": {"risky payer", "highest payer"},
    "PAY02": {"declined payer", "farm a", "farm b", "farm c"},
    "PAY03": {"carder"},
    "PAY04": {"warned payer", "disputed payer", "defrauded a", "defrauded b", "defrauded once"},
    "PAY05": {"spender"},
    "PAY06": {"paid by fraud"},
    "PRO01": {"bonus a", "bonus b"},
    "REG01": {"false company", "bankrupt company", "unproven impostor"},
    "MOD01": {"likely thief"},
    "HAR01": {"harasser"},
    "NEW01": {"impatient"},
}


def account_takeovers(market: Market) -> None:
    for minute in range(5):
        market.login("guessed at", ago(10, minute), ok=False, device="guesser")
        market.login("forgetful", ago(10 + minute), ok=False, device="forgetful's own")
    for name in (
        "visited from abroad",
        "visited after failures",
        "robbed provider",
        "edited long after",
        "traveller",
        "new phone",
    ):
        market.habit(name)
    market.login("visited from abroad", ago(9), device="stranger 1", network="far", country="RO")
    market.login("visited after failures", ago(9, 10), ok=False, device="stranger 2", network="far")
    market.login("visited after failures", ago(9), device="stranger 2", network="far")
    market.login("traveller", ago(9), device="traveller's own", network="far", country="ES")
    market.login("new phone", ago(9), device="just bought", network="shop")
    for minute in range(5):
        market.login("robbed provider", ago(8, 60 - minute), ok=False, device="stranger 3", network="far", country="RO")
    market.login("robbed provider", ago(8), device="stranger 3", network="far", country="RO")
    market.profile("robbed provider", "thief's", ago(7.5))
    market.login("edited long after", ago(9), device="stranger 4", network="far", country="RO")
    market.profile("edited long after", "own 1", ago(3))
    market.profile("edits calmly", "own 2", ago(8))
    market.habit("edits calmly")


def devices(market: Market) -> None:
    for number in range(6):
        market.login("six devices", ago(number), device=f"six {number}")
        market.login("six devices in a year", ago(number * 50 + 1), device=f"year {number}")
    for number in range(25):
        market.login("twenty-five networks", ago(number), device="one", network=str(number))
        market.login("commuter", ago(number), device="two", network=str(number % 24))
    for number, country in enumerate(("NO", "SE", "DK", "PL")):
        market.login("four countries", ago(number), device="three", country=country)
        market.login("three countries", ago(number), device="four", country=country.replace("PL", "SE"))


def identities(market: Market) -> None:
    for name in ("phone a", "phone b"):
        market.who(name, phone=market.uid("number"))
    market.who("own number", phone=market.uid("another number"))
    for name, town in (("card a", "OSLO"), ("card b", "BERGEN"), ("card c", "OSLO")):
        market.who(name, municipality=town)
        market.charge(name, ago(20), card="passed round")
    for name in ("spouse a", "spouse b"):
        market.who(name, municipality="OSLO")
        market.charge(name, ago(20), card="the family's")
        market.profile(name, "joint", ago(40))
    for name, town in (("device a", "OSLO"), ("device b", "BERGEN"), ("device c", "MOSS")):
        market.who(name, municipality=town)
        market.login(name, ago(20), device="passed round")
    for name in ("mother", "father", "daughter", "son"):
        market.who(name, municipality="HAMAR")
        market.login(name, ago(20), device="the family's")
    for name, town in (("mule a", "OSLO"), ("mule b", "TROMSØ")):
        market.who(name, municipality=town)
        market.profile(name, "the mules'", ago(40))
    for name in ("twin a", "twin b"):
        market.who(name, national_id=market.uid("one person"))


def banned(market: Market) -> None:
    market.add("app_db__account_ban", account_id=market.who("banned"), banned_at=ago(30))
    market.add("app_db__account_ban", account_id=market.who("forgiven"), banned_at=ago(60), lifted_at=ago(50))
    for name, device in (("banned", "x"), ("friend of banned", "x"), ("forgiven", "y"), ("friend of forgiven", "y")):
        market.login(name, ago(20), device=f"shared {device}")
    for name in ("banned", "same café as banned"):
        market.add(
            "app_db__login", login_id=market.fresh(), account_id=market.who(name), logged_in_at=ago(19), is_success=True,
            device_id=market.uid(f"{name} alone"), network_id=market.uid("café"), country="NO",
        )  # fmt: skip


def collusion(market: Market) -> None:
    for name in ("own customer", "own provider"):
        market.login(name, ago(20), device="one and the same")
    market.booking("own customer", "own provider", 10)
    market.booking("ordinary customer", "ordinary provider", 10)
    for number in range(5):
        market.booking("concentrated customer", "concentrated provider", 10 + number)
        market.booking("regular customer", "busy provider", 10 + 7 * number)
        market.booking(f"other customer {number}", "busy provider", 10 + number, price=1200)
    for number in range(4):
        market.booking("new customer", "new provider", 10 + number)
    market.booking("passing customer", "concentrated provider", 30)
    market.booking(None, "busy provider", 12, price=900)
    market.booking("instant customer", "instant provider", 10, minutes=20)
    market.booking("brisk customer", "brisk provider", 10, minutes=45)


def reviews(market: Market) -> None:
    for number in range(2):
        market.review("invented author", f"praised once {number}", ago(10 + number), booking=None)
        market.review(f"passer-by {number}", "praised by invention", ago(10 + number), booking=None)
        market.review(f"grumbler {number}", "run down by invention", ago(10 + number), booking=None, rating=1)
        job = market.booking(f"happy customer {number}", "honest provider", 15 + number)
        market.review(f"happy customer {number}", "honest provider", ago(10 + number), booking=job)
    job = market.booking(None, "reviewed by the erased", 15)
    market.review(None, "reviewed by the erased", ago(10), booking=job)
    market.review(None, "reviewed by the erased", ago(11), booking=job)
    for name in ("circle author", "circle friend 1", "circle friend 2"):
        market.who(name)
    for number in (1, 2):
        for name in ("circle author", f"circle friend {number}"):
            market.login(name, ago(300), device=f"circle {number}")
        job = market.booking("circle author", f"circle friend {number}", 400)
        market.review("circle author", f"circle friend {number}", ago(10), booking=job)
    for number in range(5):
        for subject in ("suddenly praised", "always busy"):
            author = f"guest {number} of {subject}"
            job = market.booking(author, subject, 30)
            market.review(author, subject, ago(10, 600 * number), booking=job)
    for number in range(6):
        author = f"earlier guest {number}"
        market.review(author, "always busy", ago(30 + 5 * number), booking=market.booking(author, "always busy", 90))


def chats(market: Market) -> None:
    for number in range(3):
        market.message("poacher", f"approached {number}", ago(10 + number), f"call me {number}", offer=True)
        market.booking(f"client {number}", "reachable", 20)
        market.message("reachable", f"client {number}", ago(10), f"my number {number}", offer=True)
        market.message("chatty", f"acquaintance {number}", ago(10), f"just chat {number}")
    for number in range(2):
        market.message("helpful customer", f"asked provider {number}", ago(10), f"ring the bell {number}", offer=True)
    for number in range(10):
        market.message("advertiser", f"reader {number}", ago(10, number * 60), "earn money")
        market.message("polite", f"greeted {number}", ago(10, number * 60), "hello", length=4)
        market.message("slow writer", f"once in a while {number}", ago(80 - 8 * number), "standing offer")
        market.booking(f"template client {number}", "template", 5)
        market.message("template", f"template client {number}", ago(10, number * 60), "standing answer")


def payments(market: Market) -> None:
    market.charge("risky payer", ago(10), outcome_risk_score=80, outcome_risk_level="highest")
    market.charge("highest payer", ago(10), outcome_risk_level="highest")
    market.charge("safe payer", ago(10), outcome_risk_score=60, outcome_risk_level="normal")
    for number in range(3):
        market.charge("declined payer", ago(10, number), failed=True)
        market.charge("short of money", ago(10 + 7 * number), failed=True)
    market.charge("mistyped", ago(10, 5), failed=True)
    market.charge("mistyped", ago(10, 3), failed=True)
    market.charge("mistyped", ago(10, 1))
    for number, name in enumerate(("farm a", "farm b", "farm c")):
        booking = market.booking(name, f"farmed {number}", 11)
        market.charge(name, ago(10, number), failed=True, booking_id=booking)
        market.add(
            "events__event", event_id=market.fresh(), event_name="Checkout Started", account_id=market.who(name),
            booking_id=booking, network_id=market.uid("farm network"), device_id=market.uid(f"{name}'s own"), received_at=ago(11),
        )  # fmt: skip
    market.add(
        "stripe__radar_early_fraud_warning", early_fraud_warning_id=market.fresh(),
        charge_id=market.charge("warned payer", ago(12)), created_at=ago(10),
    )  # fmt: skip
    for name, reason, status in (
        ("disputed payer", "fraudulent", "needs_response"),
        ("unhappy payer", "product_not_received", "needs_response"),
        ("cleared payer", "fraudulent", "won"),
    ):
        market.add(
            "stripe__dispute", dispute_id=market.fresh(), charge_id=market.charge(name, ago(12)), reason=reason,
            status=status, created_at=ago(10),
        )  # fmt: skip


def habits_of_paying(market: Market) -> None:
    for number in range(3):
        market.charge("carder", ago(10 - number), card=f"stolen {number}")
        market.charge("orderly", ago(60 - 20 * number), card=f"replaced {number}")
        market.charge("spender", ago(30 - number), amount=40_000)
        market.charge("steady", ago(30 - number), amount=40_000)
        market.charge("occasional", ago(80 - number), amount=40_000)
    market.charge("spender", ago(20), amount=400_000)
    market.charge("steady", ago(20), amount=100_000)
    market.charge("occasional", ago(20), amount=400_000)
    for payer, provider in (
        ("defrauded a", "paid by fraud"), ("defrauded b", "paid by fraud"), ("defrauded once", "paid by one fraud"),
        ("honest payer a", "paid by one fraud"), ("honest payer b", "paid honestly"),
    ):  # fmt: skip
        charge = market.charge(payer, ago(20), provider_id=market.who(provider))
        if payer.startswith("defrauded"):
            market.add(
                "stripe__radar_early_fraud_warning", early_fraud_warning_id=market.fresh(), charge_id=charge, created_at=ago(15),
            )  # fmt: skip


def promotions(market: Market) -> None:
    for name, device, code in (
        ("bonus a", "bonus", "1"), ("bonus b", "bonus", "1"), ("friend 1", "friend 1", "2"), ("friend 2", "friend 2", "2"),
        ("flatmate 1", "flat", "3"), ("flatmate 2", "flat", "4"),
    ):  # fmt: skip
        market.who(name, referral_code=market.uid(f"code {code}"), created_at=ago(100))
        market.login(name, ago(20), device=device)


def registers(market: Market) -> None:
    market.profile("false company", "own 3", ago(30), org_number_validity="invalid", bank_account_validity="invalid")
    market.profile("bankrupt company", "own 4", ago(30), org_number_validity="valid", organisation_is_bankrupt=True)
    market.profile("sound company", "own 5", ago(30), org_number_validity="valid", organisation_registration="valid")
    market.profile(
        "unasked company", "own 6", ago(30), org_number_validity="valid", organisation_registration="unknown"
    )
    for name, bank, status, days in (
        ("unproven impostor", "own 7", "requires_input", 20), ("unproven", "own 10", "requires_input", 20),
        ("proven", "own 8", "verified", 20), ("proving", "own 9", "requires_input", 1),
    ):  # fmt: skip
        market.profile(name, bank, ago(30), name_is_as_registered=not name.endswith("impostor"))
        market.add(
            "stripe__identity_verification_session", verification_session_id=market.fresh(), account_id=market.who(name),
            status=status, created_at=ago(days),
        )  # fmt: skip


def newcomers(market: Market) -> None:
    market.who("impatient", created_at=ago(12))
    market.who("settled", created_at=ago(90))
    market.who("just here", created_at=ago(2))
    for name in ("impatient", "settled"):
        for number in range(6):
            market.login(name, ago(number), device=f"{name} {number}")
    market.login("just here", ago(1), device="just here's own")


def modelled(market: Market) -> None:
    """The model in use takes one payment in a thousand for fraud, and one of 77,700 to 77,800 kroner for nearly certain."""
    for who, price in (("likely thief", 77_700), ("big spender", 77_800), ("small spender", 600)):
        booking_id = market.booking(who, "modelled provider", 20, price=price)
        market.charge(who, ago(20), booking_id=booking_id, provider_id=market.who("modelled provider"))


def put_model_in_use(project: PurposeProject) -> None:
    project.execute(
        "INSERT INTO src._fraud_model BY NAME SELECT 1 AS model_id, 'in_use' AS state, TRUE AS is_switched_on, -7.0 AS intercept, "
        f"TIMESTAMPTZ '{ago(1)}' AS trained_at, TIMESTAMPTZ '{ago(-27)}' AS expires_at",
        "INSERT INTO src._fraud_scorecard BY NAME SELECT 1 AS model_id, 'amount_nok' AS feature, value_from, value_below, points "
        "FROM (VALUES ('-inf'::DOUBLE, 77700.0, 0.0), (77700.0, 77800.0, 9.0), (77800.0, 'inf'::DOUBLE, 0.0)) "
        "AS range_of (value_from, value_below, points)",
    )


def complaints(market: Market) -> None:
    market.case("complainant 1", "harasser", "harassment")
    market.case("complainant 2", "harasser", "spam")
    for topic in ("harassment", "spam", "harassment"):
        market.case("enemy", "pestered by one", topic)
    for number in range(3):
        market.case(f"annoyed {number}", "sloppy provider", "quality")
        market.case(f"waiting {number}", "not yet judged", "harassment", closed=False)


CASES = (
    account_takeovers, devices, identities, banned, collusion, reviews, chats, payments, habits_of_paying, promotions,
    registers, newcomers, modelled, complaints,
)  # fmt: skip
