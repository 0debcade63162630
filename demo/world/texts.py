"""Names and Norwegian free texts. First and last names are invented, so that no pair of them is somebody.

Texts may name people, phone numbers and e-mails, as real ones do: `{name}`, `{phone}` and `{email}` are filled in by row.
None holds a quotation mark, a backslash or a control character, so that they can be put into JSON as they are.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.randomness import Texts

FIRST_NAMES = (
    "Aldvin", "Alfhilda", "Anvar", "Arnlin", "Askara", "Audmar", "Aurina", "Beranna", "Birkal", "Bjarnea", "Brynlaug",
    "Dagfara", "Dagvin", "Eilunn", "Eivara", "Eldrun", "Embrik", "Erlanda", "Espalin", "Falkvar", "Finnlaug", "Fjelar",
    "Fridlin", "Frøyvar", "Gaulina", "Geirunn", "Gjertina", "Grimvar", "Gyrid", "Halldis", "Havlin", "Heidvar", "Hervin",
    "Hilvard", "Idunna", "Ingvel", "Isvar", "Ivalda", "Jordlin", "Jorvar", "Kariel", "Kjellunn", "Kolvar", "Laugunn",
    "Leidvar", "Livanna", "Ljosva", "Magndis", "Marvor", "Mjølva", "Nanvar", "Nordis", "Oddvina", "Olvara", "Ormlin",
    "Ragnea", "Randvar", "Reidlin", "Runvald", "Sigvara", "Sindrun", "Snorla", "Solmar", "Steinlin", "Sunnvar", "Svalina",
    "Tarjunn", "Tindra", "Torvalda", "Trygvin", "Tuvald", "Ulvina", "Unnvar", "Valdis", "Vargunn", "Vestar", "Vigdun",
    "Yngvel", "Ørnlaug", "Åsvarda",
)  # fmt: skip
_LAST_STARTS = (
    "Alm", "Ask", "Bjørke", "Blå", "Brim", "Dverg", "Eld", "Elve", "Fagre", "Fjell", "Fonn", "Foss", "Frost", "Furu",
    "Gnist", "Grane", "Grå", "Gull", "Hegg", "Hvit", "Høy", "Is", "Kolle", "Krå", "Lyng", "Mose", "Myr", "Mørk", "Nord",
    "Or", "Rogn", "Rune", "Selje", "Sild", "Skar", "Skog", "Sny", "Sol", "Stein", "Storm", "Svart", "Tind", "Torn", "Tåke",
    "Ulv", "Vind", "Vinter", "Våg", "Ørne", "Åre",
)  # fmt: skip
_LAST_ENDS = (
    "brekkum", "dalvik", "fellen", "fjordmo", "gardnes", "hellerud", "kvistad", "landsli", "lidbø", "marksæter", "nesvold",
    "rabbeng", "seterhaug", "skjærmo", "stuvik", "tangbø", "tveitås", "vardmo", "vollstad", "åmot",
)  # fmt: skip
LAST_NAMES = tuple(start + end for start in _LAST_STARTS for end in _LAST_ENDS)
STREETS = (
    "Granitt", "Bjørnebær", "Teglverks", "Lerke", "Sommer", "Fiskebrygge", "Mølle", "Kirsebær", "Nattergal", "Kvern",
    "Rype", "Tråkk", "Smie", "Båtnaust", "Linerle", "Ospe", "Klokke", "Stølen", "Utsikts", "Havre",
)  # fmt: skip
STREET_ENDS = ("veien", "gata", "stien", "bakken", "svingen")
MAIL_HOSTS = (
    "example.com",
    "example.org",
    "example.net",
    "post.example",
    "epost.example",
    "mail.example",
    "example.no",
)

BIO = (
    "Jeg heter {name} og har drevet med dette i mange år. Nøye, punktlig og hyggelig.",
    "Ryddig og erfaren. Bor i nærheten og kan komme på kort varsel.",
    "Student som tar oppdrag på kveldstid og i helgene. Ring meg på {phone} om noe er uklart.",
    "Vi er et lite firma med faste folk. Forsikret og med egne maskiner.",
    "Liker å gjøre ting skikkelig. Har førerkort og egen bil.",
    "Pensjonert håndverker med god tid. Spør gjerne på {email}.",
    "Ny på Leii, men ikke i faget. Gode referanser kan vises.",
)
OFFER = (
    "Pris gjelder innenfor bygrensen, med utstyr.",
    "Minst to timer. Ta kontakt om større oppdrag.",
    "Jeg tar med det som trengs. Du trenger ikke være hjemme.",
    "Fast avtale gir rabatt.",
)
REQUEST = (
    "Hei, vi trenger hjelp i løpet av uka. Leiligheten er på omtrent 80 kvadrat.",
    "Ønsker noen som er grundig og kan komme på dagtid. Det er parkering ved huset.",
    "Trenger hjelp så snart som mulig, helst før helgen.",
    "Dette er andre gang vi spør. Ring {name} på {phone} når du er utenfor.",
    "Vi har hund, håper det går bra. Nøkkelen ligger hos naboen.",
    "Stort oppdrag, men fleksibel på tid. Svar gjerne med pris.",
    "Min mor på 83 bor alene og trenger litt hjelp. Skriv til {email} om du lurer på noe.",
    "Fjerde etasje uten heis. To personer er best.",
)
REVIEW_GOOD = (
    "Veldig fornøyd, kom presis og gjorde en grundig jobb.",
    "Hyggelig og effektiv. Anbefales!",
    "Alt gikk som avtalt. Takk til {name}!",
    "Topp service, bestiller gjerne igjen.",
    "Raskt og ryddig, fin kommunikasjon.",
)
REVIEW_MIDDLING = (
    "Helt greit, men litt forsinket.",
    "Jobben ble gjort, men vi måtte purre.",
    "Ok for prisen.",
)
REVIEW_BAD = (
    "Kom for sent og ble ikke ferdig.",
    "Ikke som avtalt, og vanskelig å få tak i {name}.",
    "Dårlig arbeid, måtte gjøre om på det selv.",
)
REVIEW_FAKE = (
    "Best i byen! Bestill med en gang!",
    "Fantastisk, fantastisk, fantastisk.",
    "Utrolig bra på alle måter. Fem stjerner!",
)
MESSAGE = (
    "Hei! Passer det klokka ti?",
    "Det passer fint, vi ses da.",
    "Kan du ta med støvsuger?",
    "Jeg er ti minutter forsinket, beklager.",
    "Tusen takk for hjelpen i dag!",
    "Har du mulighet til å komme en dag tidligere?",
    "Porten har kode, jeg sender den samme dag.",
    "Nummeret mitt er {phone} om du ikke finner fram.",
    "Hilsen {name}",
    "Supert, da er vi enige.",
    "Hvor lang tid tror du det tar?",
    "Jeg har lagt nøkkelen under matta.",
)
MESSAGE_BEFORE = (
    "Hei, jeg så forespørselen din og kan hjelpe.",
    "Hva slags gulv er det?",
    "Jeg kan komme på torsdag eller fredag.",
    "Er det mulig med en fast avtale?",
)
MESSAGE_OFF_PLATFORM = (
    "Vi kan ta det utenom appen, så blir det billigere. Vipps til {phone}.",
    "Ring meg på {phone}, så avtaler vi direkte og slipper gebyret.",
    "Send meg en mail på {email}, jeg gir bedre pris uten Leii.",
    "Betal heller rett til meg med Vipps på {phone}.",
)
CASE = {
    "payment": ("Jeg er trukket to ganger for samme oppdrag.", "Når kommer utbetalingen min? Kontoen står i {name}."),
    "quality": ("Arbeidet ble ikke gjort slik vi avtalte.", "Det ble en ripe i gulvet. Ring meg på {phone}."),
    "harassment": ("Jeg får ubehagelige meldinger fra denne personen.", "Vedkommende truer meg etter at jeg avlyste."),
    "spam": ("Denne brukeren sender reklame til alle.", "Jeg får den samme meldingen hver dag."),
    "fraud": ("Jeg tror dette er svindel, vedkommende ville ha betalt utenom.", "Noen har brukt kontoen min!"),
    "other": ("Hvordan bytter jeg e-post? Den nye er {email}.", "Appen henger når jeg åpner kalenderen."),
}
CASE_SUBJECT = {
    "payment": "Spørsmål om betaling",
    "quality": "Klage på utført arbeid",
    "harassment": "Ubehagelig oppførsel",
    "spam": "Uønskede meldinger",
    "fraud": "Mistanke om svindel",
    "other": "Hjelp",
}
CLAIM = (
    "Knust lampe under flytting.",
    "Vannskade på parkett etter vask. Kontakt {name} på {phone}.",
    "Skade på bil i innkjørselen.",
    "Ødelagt rute ved vinduspuss.",
)
COMMENT = (
    "Enkelt å bruke",
    "Litt dyrt",
    "Savner flere tilbydere der jeg bor",
    "Veldig bra, hilsen {name}",
    "Appen er treg",
    "Ring meg gjerne på {phone}",
)


def fill(rng: np.random.Generator, templates: tuple[str, ...], people: pl.DataFrame) -> pl.Series:
    """A text for each row of `people`, which has `full_name`, `phone` and `email` of whoever the text mentions."""
    chosen = pl.Series("text", list(templates)).gather(rng.integers(0, len(templates), people.height))
    frame = people.select("full_name", "phone", "email").with_columns(chosen.alias("text"))
    first_name = pl.col("full_name").str.split(" ").list.first()
    return frame.select(
        pl.when(pl.col("text").str.contains("{", literal=True))
        .then(
            pl.col("text")
            .str.replace("{name}", first_name, literal=True)
            .str.replace("{phone}", pl.col("phone").fill_null("nummeret i profilen"), literal=True)
            .str.replace("{email}", pl.col("email"), literal=True)
        )
        .otherwise(pl.col("text"))
        .alias("text")
    ).to_series()


def first_and_last_names(rng: np.random.Generator, count: int) -> tuple[Texts, Texts]:
    """Invented first and last names."""
    first = np.array(FIRST_NAMES, dtype=object)[rng.integers(0, len(FIRST_NAMES), count)]
    last = np.array(LAST_NAMES, dtype=object)[rng.integers(0, len(LAST_NAMES), count)]
    return first, last
