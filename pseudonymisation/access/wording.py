"""The page's words, Norwegian and English. A name without words here is shown as it is written in the policy."""

from typing import Literal

from pseudonymisation.access.document import OTHER_PARTY, YOU

Language = Literal["nb", "en"]
LANGUAGES: tuple[Language, ...] = ("nb", "en")

Pair = tuple[str, str]

TEXTS: dict[str, Pair] = {
    "title": ("Hva Leii vet om deg", "What Leii holds about you"),
    "switch": ("In English", "På norsk"),
    "made": (
        "Laget {made} på forespørsel {number}. Slettes av seg selv {gone}.",
        "Made {made} for request {number}. Deletes itself on {gone}.",
    ),
    "times": (
        "Alle tidspunkter er i UTC (norsk tid minus én eller to timer).",
        "All times are in UTC (one or two hours behind Norwegian time).",
    ),
    "complete": ("Alle kilder og steder ble lest.", "Every source and place was read."),
    "incomplete": ("Ikke fullstendig: noe kunne ikke leses", "Not complete: something could not be read"),
    "incomplete_what": (
        "Dette mangler, helt eller delvis. Skriv til {contact}, så får du en ny utskrift:",
        "This is missing, wholly or in part. Write to {contact} for a new export:",
    ),
    "contents": ("Innhold", "Contents"),
    "summary": ("Kort fortalt", "In brief"),
    "summary_text": ("Så mange rader om deg ligger hvert sted.", "How many rows about you lie in each place."),
    "place": ("Sted", "Place"),
    "rows": ("Rader", "Rows"),
    "rights": ("Rettighetene dine", "Your rights"),
    "right_access": (
        "Innsyn: denne siden. Du kan be om en ny når som helst.",
        "Access: this page. You can ask for a new one at any time.",
    ),
    "right_correction": (
        "Retting: endre opplysningene i appen, eller skriv til {contact}. Rettelsen når alle formål.",
        "Correction: change your data in the app, or write to {contact}. It reaches every purpose.",
    ),
    "right_erasure": (
        "Sletting: be om det i appen. Vi sletter straks hvis du aldri har bestilt eller utført et oppdrag, ellers 30 dager "
        "etter at siste oppdrag er utført og betalt. Det andre trenger, blir stående uten spor av deg; det loven krever, "
        "oppbevares adskilt til fristen er ute.",
        "Erasure: ask for it in the app. We erase at once if you never booked or did a job, otherwise 30 days after the last "
        "job is done and paid. What others need stays without a trace of you; what the law demands is kept apart until its "
        "period ends.",
    ),
    "right_objection": (
        "Innsigelse og begrensning: du kan protestere mot bruk som bygger på berettiget interesse. Skriv til {contact}.",
        "Objection and restriction: you can object to uses that rest on legitimate interest. Write to {contact}.",
    ),
    "right_portability": (
        "Dataportabilitet: den samme utskriften finnes som JSON-fil for maskiner.",
        "Portability: the same export comes as a JSON file for machines.",
    ),
    "right_no_automation": (
        "Ingen avgjørelse om deg tas automatisk (personvernforordningen art. 22). "
        "Et varsel om mulig misbruk vurderes alltid av et menneske.",
        "No decision about you is taken automatically (GDPR art. 22). A finding of possible misuse is always for a person to decide.",
    ),
    "right_complaint": (
        "Klage: du kan klage til Datatilsynet, www.datatilsynet.no.",
        "Complaint: you can complain to the Norwegian Data Protection Authority, www.datatilsynet.no.",
    ),
    "controller": ("Behandlingsansvarlig er Leii. Kontakt: {contact}.", "The controller is Leii. Contact: {contact}."),
    "sources": (
        "Kildene: det appen, betalingen og nettstedet har",
        "The sources: what the app, the payments and the website have",
    ),
    "sources_text": (
        "«Den andre parten» står der noen andre er nevnt. Det andre har skrevet, og opplysninger om dem, er utelatt. "
        "Det du selv har skrevet, står slik du skrev det.",
        "“The other party” stands where somebody else is named. What others wrote, and data about them, are left out. "
        "What you wrote yourself stands as you wrote it.",
    ),
    "purposes": ("Formålene: hva opplysningene brukes til", "The purposes: what the data are used for"),
    "purposes_text": (
        "Hvert formål har sin egen database og kaller deg ved en kode som ingen andre formål bruker. Her står den som «deg».",
        "Every purpose has a database of its own and calls you by a code that no other purpose uses. Here it stands as “you”.",
    ),
    "what_for": ("Hva det er til", "What for"),
    "basis": ("Rettslig grunnlag", "Lawful basis"),
    "kept": ("Lagringstid", "Kept for"),
    "readers": ("Hvem som leser", "Who reads it"),
    "held_by_law": ("Loven krever", "The law demands"),
    "gets": (
        "Hva formålet får om deg, og hvordan det behandles først",
        "What the purpose gets about you, and how it is treated first",
    ),
    "recipients": ("Mottakere utenfor Leii", "Recipients outside Leii"),
    "recipients_text": (
        "De som har fått opplysninger om deg, og hva de får. En melding om sletting eller retting som venter, står her til "
        "mottakeren har fått den.",
        "Who has been given data about you, and what they get. A notice of an erasure or a correction that waits stands here "
        "until the recipient has it.",
    ),
    "recipient_gets": ("Hva de får", "What they get"),
    "registry_answers": ("Svar fra Enhetsregisteret", "Answers of the register of organisations"),
    "table": ("Tabell", "Table"),
    "field": ("Felt", "Field"),
    "category": ("Type", "Kind"),
    "treatment": ("Behandling", "Treatment"),
    "stored": ("Lagret", "Stored"),
    "computed": ("Beregnet av dette", "Computed from it"),
    "rule": ("Funn etter regel {code}", "Hits of rule {code}"),
    "published": ("Kopi for lesere", "Copy for readers"),
    "published_text": (
        "Kopien som leserne åpner, har {count} rader om deg; de er de samme som er vist over.",
        "The copy that readers open has {count} rows about you; they are the same as shown above.",
    ),
    "nothing": ("Ingenting om deg.", "Nothing about you."),
    "on_erasure": ("Ved sletting", "On erasure"),
    "deleted": ("slettes", "is erased"),
    "detached": ("blir stående for andre, uten spor av deg", "stays for others, without a trace of you"),
    "recomputed": ("beregnes på nytt uten deg", "is computed anew without you"),
    "held": ("oppbevares etter loven", "is kept by law"),
    "held_until": ("loven oppbevarer en kopi til {day}", "the law keeps a copy until {day}"),
    "others": ("Andre steder hos oss", "Other places with us"),
    "landing": ("Venter på å bli lest inn", "Waiting to be taken in"),
    "landing_text": (
        "Rådata ligger kryptert her i noen minutter, til alle formål har tatt sitt.",
        "Raw data lie here, encrypted, for minutes, until every purpose has taken its share.",
    ),
    "quarantine": ("Karantene: linjer som ikke kunne leses", "Quarantine: lines that could not be read"),
    "quarantine_text": (
        "Innholdet kan nevne andre og vises ikke. Alt slettes etter 14 dager.",
        "The content may name others and is not shown. All of it goes after 14 days.",
    ),
    "held_zone": ("Oppbevart etter loven om noen som er slettet", "Kept by law about somebody who was erased"),
    "vault": ("Hvelvet: koblingen mellom deg og kodene", "The vault: what ties you to the codes"),
    "vault_secret": (
        "Hvelvet har én hemmelighet som kodene dine regnes ut fra. Den vises ikke, og den ødelegges når du slettes.",
        "The vault has one secret from which your codes are computed. It is not shown, and it is destroyed on erasure.",
    ),
    "vault_none": ("Hvelvet har ingen hemmelighet om deg.", "The vault has no secret about you."),
    "vault_aliases": (
        "Kjennetegn som peker til den, bare som nøklet sum: {list}.",
        "Identifiers that point to it, as keyed hashes only: {list}.",
    ),
    "vault_links": (
        "Informasjonskapsler som er sett sammen med kontoen din: {count}.",
        "Cookies seen together with your account: {count}.",
    ),
    "vault_tombstones": (
        "Du er slettet (bevis {list}). {count} nøklede summer hindrer at opplysninger om deg kommer inn igjen.",
        "You have been erased (certificate {list}). {count} keyed hashes keep data about you from coming in again.",
    ),
    "flags": ("Varsler om mulig misbruk", "Findings of possible misuse"),
    "flags_text": (
        "Et varsel er et spørsmål til et menneske hos Leii og har ingen virkning i seg selv.",
        "A finding is a question to a person at Leii and has no effect by itself.",
    ),
    "flag_since": (
        "Siden {day}, gjelder til {end}. Status: {status}. Styrke {score} av 1.",
        "Since {day}, valid until {end}. Status: {status}. Strength {score} of 1.",
    ),
    "flag_value": ("målt {value}, grense {threshold}", "measured {value}, limit {threshold}"),
    "requests": ("Personvernforespørslene dine", "Your privacy requests"),
    "number": ("Nummer", "Number"),
    "kind": ("Hva du ba om", "What you asked for"),
    "requested": ("Mottatt", "Received"),
    "state": ("Status", "State"),
    "answer": ("Svar", "Answer"),
    "elsewhere": ("Hva som ikke står her", "What is not here"),
    "elsewhere_text": (
        "Vår egen kundeservice kan ha e-post fra deg. Mottakerne utenfor Leii er selv ansvarlige for det de har fått; spør dem. "
        "Den andre parten i et oppdrag får det dere trenger for å møtes. Tekniske felter hos Stripe og i hendelsene, som ikke handler om "
        "deg, er utelatt.",
        "Our own support may have e-mails of yours. Recipients outside Leii answer themselves for what they were given; ask "
        "them. The other party of a job gets what you need to meet. Technical fields of Stripe and of the events that are not about you "
        "are left out.",
    ),
    "reason": ("Grunn", "Reason"),
    "bytes": ("Størrelse (byte)", "Size (bytes)"),
    "since": ("Siden", "Since"),
    "gone": ("Slettes", "Goes"),
    "yes": ("ja", "yes"),
    "no": ("nei", "no"),
    "some": (
        "Viser {shown} av {count} rader. Alle står i JSON-filen.",
        "Showing {shown} of {count} rows. All are in the JSON file.",
    ),
    "bare": (
        "{count} rader nevner deg uten å si mer om deg enn det (for eksempel at noen så profilen din).",
        "{count} rows mention you and say nothing more about you (such as somebody looking at your profile).",
    ),
    "years": ("{count} år", "{count} years"),
    "days": ("{count} dager", "{count} days"),
    "skip": ("Til innholdet", "Skip to the content"),
}

PURPOSES: dict[str, tuple[str, str, str]] = {
    "matching": (
        "Koble behov og tilbud",
        "Å se hvordan forespørsler finner tilbydere, hvor tilbud mangler og hva oppdragene er verdt, og vise bedre treff.",
        "Leiis og brukernes interesse i en markedsplass som finner rett tilbyder; med kode, uten tekst og uten nøyaktig sted.",
    ),
    "fraud": (
        "Begrense misbruk",
        "Å finne forsøk på svindel, søppelpost, trakassering og bruk av andres konto, så et menneske kan vurdere det.",
        "Brukernes og Leiis interesse i ikke å bli svindlet (fortalepunkt 47); et menneske avgjør hvert varsel.",
    ),
    "market_trends": (
        "Markedsutvikling",
        "Å følge etterspørsel, tilbud, priser og sesonger etter kategori og kommune.",
        "Leiis interesse i å forstå markedet sitt; brukes bare på samlet nivå.",
    ),
    "accounting": (
        "Regnskap",
        "Å føre de regnskapene loven krever, og ikke noe mer.",
        "bokføringsloven § 13: primært regnskapsmateriale oppbevares fem år etter regnskapsårets slutt.",
    ),
}
"""Norwegian title, use and reason of the basis, which the policy has in English."""

RECIPIENTS: dict[str, tuple[str, str, str]] = {
    "stripe": (
        "Stripe",
        "Betalinger og utbetalinger, og kontroll av hvem som får betalt.",
        "Uten det kan ingen oppdrag betales; identitet etter hvitvaskingsloven, 6(1)(c).",
    ),
    "klarna": (
        "Klarna",
        "Betaling med Klarna i kassen, valgt av kunden.",
        "Kunden valgte å betale slik; kontakt- og ordreopplysninger er det Klarna ber om.",
    ),
    "vipps": (
        "Vipps MobilePay",
        "Betaling med Vipps i kassen, valgt av kunden.",
        "Kunden valgte å betale slik; kontakt- og ordreopplysninger er det Vipps ber om.",
    ),
    "insurer": (
        "IF Skadeforsikring",
        "Krav om oppdrag, og oppgjøret av dem.",
        "Forsikringen er en del av vilkårene for oppdraget; gis bare når et krav behandles.",
    ),
    "device_identification": (
        "Leverandøren av enhetsgjenkjenning",
        "Å merke at noen andre bruker en konto.",
        "Brukernes interesse i at ingen andre kommer inn på kontoen deres; bare enhet og nettadresse.",
    ),
    "app_processors": (
        "Appens databehandlere (drift, e-post, SMS og varsler)",
        "Å drive appen og levere meldingene dens.",
        "De arbeider for Leii, etter avtale (art. 28), med det tjenesten selv trenger.",
    ),
}
"""Norwegian title, use and reason of the basis of those who know people by a name, which the policy has in English."""

READERS: dict[str, Pair] = {
    "analysts": ("analytikere", "analysts"),
    "product_team": ("produktteamet", "the product team"),
    "fraud_desk": ("misbruksteamet", "the fraud desk"),
    "management": ("ledelsen", "the management"),
    "accountant": ("regnskapsføreren", "the accountant"),
}

TREATMENTS: dict[str, Pair] = {
    "keep": ("som det er", "as it is"),
    "code": ("som kort kode", "as a short code"),
    "pseudonym": (
        "erstattet med en kode som bare dette formålet bruker",
        "replaced by a code that only this purpose uses",
    ),
    "coarsen_time": ("avrundet: {parameter}", "rounded: {parameter}"),
    "coarsen_place": ("bare kommunen", "the municipality only"),
    "coarsen_amount": ("avrundet til nærmeste {parameter}", "rounded to the nearest {parameter}"),
    "coarsen_position": ("avrundet til nærmeste {parameter} grader", "rounded to the nearest {parameter} degrees"),
    "coarsen_provider_position": (
        "bare for tilbydere, avrundet til nærmeste {parameter} grader",
        "of providers only, rounded to the nearest {parameter} degrees",
    ),
    "coarsen_network": ("bare nettverket, som kode", "the network only, as a code"),
    "flag": ("bare ja eller nei", "yes or no only"),
    "validate": (
        "om verdien er gyldig etter registeret, og ellers bare en kode eller kommunen",
        "whether the value is valid by its register, and otherwise a code or the municipality only",
    ),
    "registered_name": (
        "bare om navnet stemmer med Enhetsregisteret",
        "only whether the name agrees with the register of organisations",
    ),
    "derive": ("bare kjennetegn (som lengde), ikke innholdet", "features only (such as length), not the content"),
}

PARAMETERS: dict[str, Pair] = {
    "minute": ("minutt", "minute"),
    "5 minutes": ("5 minutter", "5 minutes"),
    "15 minutes": ("15 minutter", "15 minutes"),
    "hour": ("time", "hour"),
    "day": ("dag", "day"),
    "month": ("måned", "month"),
}

SOURCES: dict[str, Pair] = {
    "app_db": (
        "Appens database (det du og andre har gjort i appen)",
        "The app's database (what you and others did in the app)",
    ),
    "stripe": ("Stripe (betalinger)", "Stripe (payments)"),
    "events": (
        "Hendelser på nettstedet og i appen (informasjonskapsler)",
        "Events on the website and in the app (cookies)",
    ),
    "held": ("Det loven oppbevarer om slettede", "What the law keeps about erased people"),
    "landing": ("Det som venter på å bli lest inn", "What waits to be taken in"),
    "quarantine": ("Karantenen", "The quarantine"),
    "recipients": ("Mottakerne", "The recipients"),
}

STATES: dict[str, Pair] = {
    "access": ("innsyn", "access"),
    "erasure": ("sletting", "erasure"),
    "rectification": ("retting", "correction"),
    "waiting_for_identity": ("venter på bekreftet identitet", "waiting for your identity to be verified"),
    "waiting": ("venter", "waiting"),
    "refused": ("avslått", "refused"),
    "done": ("ferdig", "done"),
    "active": ("gjelder", "active"),
    "withdrawn": ("trukket tilbake", "withdrawn"),
    "expired": ("utløpt", "expired"),
    "account": ("konto", "account"),
    "stripe_customer": ("kunde hos Stripe", "customer at Stripe"),
    "stripe_account": ("konto hos Stripe", "account at Stripe"),
    "anonymous": ("informasjonskapsel", "cookie"),
}

PEOPLE: dict[str, Pair] = {
    YOU: ("deg", "you"),
    OTHER_PARTY: ("den andre parten", "the other party"),
}

VALUES: dict[str, str] = {
    "active": "aktiv",
    "suspended": "sperret",
    "closed": "avsluttet",
    "open": "åpen",
    "booked": "bestilt",
    "blocked": "sperret",
    "in_progress": "i gang",
    "completed": "utført",
    "cancelled": "avlyst",
    "no_show": "møtte ikke",
    "matched": "funnet",
    "expired": "utløpt",
    "pending": "venter",
    "accepted": "godtatt",
    "declined": "avslått",
    "customer": "kunde",
    "provider": "tilbyder",
    "platform": "Leii",
    "card": "kort",
    "hour": "time",
    "job": "oppdrag",
    "filed": "meldt",
    "approved": "godkjent",
    "rejected": "avvist",
    "settled": "oppgjort",
    "profile": "profil",
    "banner": "banner",
    "email": "e-post",
    "marketing": "markedsføring",
    "personalisation": "tilpasning",
    "analytics_cookies": "informasjonskapsler for analyse",
    "marketing_cookies": "informasjonskapsler for markedsføring",
    "access": "innsyn",
    "erasure": "sletting",
    "rectification": "retting",
    "succeeded": "gjennomført",
    "paid": "betalt",
    "verified": "bekreftet",
}
"""Norwegian words for the codes that fields hold."""


def text(key: str, language: Language, **values: object) -> str:
    """One of TEXTS in a language, with its blanks filled."""
    return _pick(TEXTS[key], language).format(**values)


def word(words: dict[str, Pair], name: str, language: Language) -> str:
    """The words for a name, or the name itself with spaces for its underscores."""
    return _pick(words[name], language) if name in words else name.replace("_", " ")


def policy_words(
    norwegian: dict[str, tuple[str, str, str]], name: str, language: Language, english: tuple[str, str, str]
) -> tuple[str, str, str]:
    """Title, use and reason of the basis of a purpose or recipient; the policy's own English where there is no Norwegian."""
    return english if language == "en" else norwegian.get(name, english)


def _pick(pair: Pair, language: Language) -> str:
    return pair[LANGUAGES.index(language)]
