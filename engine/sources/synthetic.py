"""People made here in the API's v1.4 shape, any number a second, the same for the same seed and number always.

What the catalogue drops is not even made up. Some records repeat an earlier one or change an earlier person, at the
shares that the settings name; which one is worked out from the number, not remembered. Addresses of e-mail end in
names that RFC 2606 keeps free, so nobody real can be written to.
"""

import json
import random
import secrets
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate

from faker import Faker

from engine.settings import Settings
from engine.sources import Item, Page, Wait

WINDOW = 20_000
"""A repeat or an update concerns one of so many records before it."""

POOL = 150
"""Values of each kind drawn once per nationality; people are put together from them."""

DOMAINS = {"example.com": 34, "mail.example": 18, "post.example": 12, "example.org": 9, "inbox.example": 7,
           "example.net": 5, "web.example": 4, "letters.example": 3, "office.example": 3, "school.example": 2,
           "city.example": 2, "o-net.example": 1}

OLDEST, YOUNGEST = datetime(1944, 1, 1, tzinfo=UTC), datetime(2006, 12, 31, tzinfo=UTC)
FIRST_REGISTERED, LAST_REGISTERED = datetime(2007, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)

THIRTEEN_YEARS = timedelta(days=13 * 365.25)    # nobody here registers younger


@dataclass(frozen=True)
class Country:
    """One nationality: its locale in faker, its name in the API, and where the API's postcodes are numbers."""

    locale: str
    name: str
    number_postcodes: bool = False
    last: tuple[str, ...] = ()      # added, for what a locale lacks
    cities: tuple[str, ...] = ()    # instead, where faker knows only American ones
    streets: tuple[str, ...] = ()


COUNTRIES = {
    "AU": Country("en_AU", "Australia", True),
    "BR": Country("pt_BR", "Brazil"),
    "CA": Country("en_CA", "Canada"),
    "CH": Country("de_CH", "Switzerland", True),
    "DE": Country("de_DE", "Germany"),
    "DK": Country("da_DK", "Denmark", True),
    "ES": Country("es_ES", "Spain"),
    "FI": Country("fi_FI", "Finland"),
    "FR": Country("fr_FR", "France", last=("D'Aboville", "L'Hermite")),
    "GB": Country("en_GB", "United Kingdom"),
    "IE": Country("en_IE", "Ireland", last=("O'Brien", "O'Sullivan", "O'Neill", "D'Arcy"),
                  cities=("Dublin", "Cork", "Limerick", "Galway", "Sligo", "Ennis", "Dún Laoghaire"),
                  streets=("Main Street", "Mill Road", "O'Connell Street", "Church Lane", "Patrick Street")),
    "IN": Country("en_IN", "India", True),
    "IR": Country("fa_IR", "Iran"),
    "MX": Country("es_MX", "Mexico"),
    "NL": Country("nl_NL", "Netherlands", last=("van 't Hoff", "in 't Veld")),
    "NO": Country("no_NO", "Norway"),
    "NZ": Country("en_NZ", "New Zealand"),
    "RS": Country("hr_HR", "Serbia", last=("Јовановић", "Петровић"),    # faker knows no Serbian
                  cities=("Beograd", "Novi Sad", "Niš", "Kragujevac", "Subotica", "Čačak"),
                  streets=("Knez Mihailova", "Bulevar Oslobođenja", "Cara Dušana", "Njegoševa")),
    "TR": Country("tr_TR", "Turkey", cities=("Ankara", "İzmir", "Bursa", "Eskişehir", "Şanlıurfa", "Muğla"),
                  streets=("Atatürk Sokak", "İstiklal Caddesi", "Bağdat Caddesi", "Mevlana Caddesi")),
    "UA": Country("uk_UA", "Ukraine", last=("Мар'яненко", "Лук'яненко")),
    "US": Country("en_US", "United States", last=("O'Connor", "D'Angelo")),
}
NATIONALITIES = tuple(COUNTRIES)
_DOMAIN_NAMES = tuple(DOMAINS)
_DOMAIN_WEIGHTS = tuple(accumulate(DOMAINS.values()))


@dataclass(frozen=True)
class Pool:
    """Values people of one nationality are put together from."""

    first: dict[str, list[str]]
    last: list[str]
    streets: list[str]
    cities: list[str]
    states: list[str]
    postcodes: list[str | int]
    phones: list[str]


class Synthetic:
    """People made here. `settings.producer.seed` names them; without it, one is drawn at the first start."""

    name = "synthetic"
    synthetic = True
    resumes = True

    def __init__(self, settings: Settings) -> None:
        self._page = settings.producer.page
        self._seed = settings.producer.seed
        self._repeats = settings.synthetic.repeats
        self._updates = settings.synthetic.updates

    def pages(self, position: str | None, wait: Wait) -> Iterator[Page]:
        """Pages without end."""
        seed, number = self._seed or secrets.token_hex(8), 0
        if position is not None:
            kept = json.loads(position)
            if self._seed in ("", kept["seed"]):
                seed, number = kept["seed"], kept["next"]
        while True:
            items = tuple(Item(f"synthetic:{seed}:{index}", self.person(seed, index))
                          for index in range(number, number + self._page))
            number += self._page
            yield Page(items, json.dumps({"seed": seed, "next": number}))

    def person(self, seed: str, number: int) -> dict[str, object]:
        """Record `number` (from 0) of a seed: a new person, an earlier record again, or an earlier person changed."""
        draw = random.Random(f"{seed}|{number}")
        kind = draw.random()
        if number == 0 or kind >= self._repeats + self._updates:
            return made(draw)
        earlier = self.person(seed, draw.randrange(max(0, number - WINDOW), number))
        return earlier if kind < self._repeats else changed(earlier, draw)


def made(draw: random.Random) -> dict[str, object]:
    """A new person, out of `draw` alone."""
    nat = draw.choice(NATIONALITIES)
    gender = draw.choice(("female", "male"))
    pool = pool_of(nat)
    first, last = draw.choice(pool.first[gender]), draw.choice(pool.last)
    born = _moment(draw, OLDEST, YOUNGEST)
    return {
        "gender": gender,
        "name": {"first": first, "last": last},
        "location": _location(draw, pool, nat),
        "email": _email(draw, first, last),
        "login": {"uuid": str(uuid.UUID(int=draw.getrandbits(128), version=4))},
        "dob": {"date": _iso(born), "age": _age(born)},
        "registered": {"date": _iso(_moment(draw, max(FIRST_REGISTERED, born + THIRTEEN_YEARS), LAST_REGISTERED))},
        "phone": _phone(draw, pool),
        "nat": nat,
    }


def changed(person: dict[str, object], draw: random.Random) -> dict[str, object]:
    """The same person, moved, with another e-mail or another phone."""
    nat, name = str(person["nat"]), person["name"]
    what = draw.randrange(3)
    if what == 0:
        return {**person, "location": _location(draw, pool_of(nat), nat)}
    if what == 1:
        assert isinstance(name, dict)  # noqa: S101 - so made() writes it
        return {**person, "email": _email(draw, name["first"], name["last"])}
    return {**person, "phone": _phone(draw, pool_of(nat))}


@cache
def pool_of(nat: str) -> Pool:
    """The values of one nationality, the same in every process."""
    country = COUNTRIES[nat]
    fake = Faker(country.locale)
    fake.seed_instance(f"rollcall {nat}")

    def drawn(name: str) -> list[str]:
        # a locale without its own provinces has none of faker's: its cities stand in for them
        method = getattr(fake, name, fake.city)
        return list(dict.fromkeys(str(method()) for _ in range(POOL)))

    cities = list(country.cities) or drawn("city")
    states = drawn("administrative_unit")
    return Pool(
        first={"female": drawn("first_name_female"), "male": drawn("first_name_male")},
        last=[*drawn("last_name"), *country.last * 4],
        streets=list(country.streets) or drawn("street_name"),
        cities=cities,
        states=list(country.cities) or states,
        postcodes=[postcode(code, country) for code in drawn("postcode")],
        phones=drawn("phone_number"),
    )


def postcode(code: str, country: Country) -> str | int:
    """As the API: a number in some countries, but never where a leading zero would be lost."""
    return int(code) if country.number_postcodes and code.isdecimal() and not code.startswith("0") else code


def _location(draw: random.Random, pool: Pool, nat: str) -> dict[str, object]:
    return {
        "street": {"number": draw.randint(1, 9999), "name": draw.choice(pool.streets)},
        "city": draw.choice(pool.cities),
        "state": draw.choice(pool.states),
        "country": COUNTRIES[nat].name,
        "postcode": draw.choice(pool.postcodes),
    }


def _email(draw: random.Random, first: str, last: str) -> str:
    local = ".".join(part for part in map(_latin, (first, last)) if part) or "mail"
    domain = draw.choices(_DOMAIN_NAMES, cum_weights=_DOMAIN_WEIGHTS)[0]
    return f"{local}{draw.randint(1, 9999)}@{domain}"


@cache
def _latin(name: str) -> str:
    """A name as it stands in an e-mail: small Latin letters; the apostrophe stays. Empty for other scripts."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ø", "o").replace("ı", "i"))
    return "".join(letter for letter in plain if letter.isascii() and (letter.isalpha() or letter == "'")).strip("'")


def _phone(draw: random.Random, pool: Pool) -> str:
    """One of the country's forms, the last six digits drawn anew."""
    letters = list(draw.choice(pool.phones))
    places = [index for index, letter in enumerate(letters) if letter.isdecimal()][-6:]
    for index, digit in zip(places, f"{draw.randrange(10**6):06}", strict=False):
        letters[index] = digit
    return "".join(letters)


def _moment(draw: random.Random, first: datetime, last: datetime) -> datetime:
    return first + timedelta(milliseconds=draw.randrange((last - first) // timedelta(milliseconds=1)))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _age(born: datetime) -> int:
    today = datetime.now(UTC)
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
