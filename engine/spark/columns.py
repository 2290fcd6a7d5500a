"""Hop 3's column rules: what each column of a row is made of, as native Spark expressions. Pure: columns in, columns out.

No Python runs on this path. Older shapes of a person (street, dob, registered as text; postcode as number) are
understood because `from_json` reads any JSON value into a string field as its text.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from engine import person as people
from engine.person import GENDER_FORM, NAT_FORM, SCHEMA_FORM
from engine.spark.domains import domain_shown, is_ascii
from engine.spark.keys import token
from engine.topics import PEOPLE_MAX_BYTES
from governance.masking import EAST_ASIAN, LONGEST_CLEAR, NO_INITIAL, POSTCODE_FORM, UNCLEAR

SEALED = ("full_name", "full_address", "email", "phone", "birth_date")
"""Columns that hold a person in clear and are encrypted, each on its own."""

DIGESTED = ("display_name", "postcode_area", "email_domain", "email_token", "birth_month", "registered_month",
            "age", "age_as_of")
"""Columns derived from personal values that may be read by the console."""

KEPT = ("gender", "nat", "country", "city", "state")

FIRST_BIRTH = "1900-01-01"
CORRUPT = "_corrupt_record"
LONGEST_EMAIL = 254    # RFC 5321
LONGEST_TEXT = 1000    # characters; Cassandra refuses an index term over 8 KiB and a batch over its limit
UUID_FORM = rf"^{people.UUID_FORM}\z"    # in Java, $ lets a line end follow
DATE_FORM = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z?)?\z"
EMAIL_FORM = r"^[^@\s\p{Cntrl}{]+@[^@\s\p{Cntrl}]+\z"
DAY = (r'^(?=\{"date":"[^"\\]*","age":\d{1,9}\}\z|[^"{]*\z)(?:\{"date":")? *(\d{4}-\d{2}-\d{2})'
       r'(?:[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z?)? *(?:","age":\d{1,9}\})?\z')
SAID_AGE = r'^\{"date":"[^"\\]*","age":(\d{1,9})\}\z'
STREET = r'^\{"number":(\d+),"name":"([^"\\]+)"\}\z'
"""Of `dob`, `registered`, `street` as from_json writes down those of the API: to read them as JSON takes ten times as long."""
HALF_PAIR = (r"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
             r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F])")
"""An escape in JSON that is half a surrogate pair: Java would read it as a question mark."""

PLACE = ("street", "city", "state", "country", "postcode")

STRICT = {"mode": "PERMISSIVE", "allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
"""How JSON is read: as JSON, not as what looks like it."""

_text = T.StringType()
PERSON = T.StructType([
    T.StructField("gender", _text),
    T.StructField("name", T.StructType([T.StructField("first", _text), T.StructField("last", _text)])),
    T.StructField("location", T.StructType([T.StructField(name, _text) for name in PLACE])),
    T.StructField("email", _text),
    T.StructField("login", T.StructType([T.StructField("uuid", _text)])),
    T.StructField("dob", _text),
    T.StructField("registered", _text),
    T.StructField("phone", _text),
    T.StructField("nat", _text),
    T.StructField("results", _text),
    T.StructField(CORRUPT, _text),
])
"""What is read of a value; whatever else stands in it is not looked at."""

READ = T.StructType([T.StructField("between", T.ArrayType(PERSON)), T.StructField(CORRUPT, _text)])
"""A value as it is read: the person between two marks that the value cannot hold, in a field no person has. So one parse tells
that the value is JSON of the right types and one value: `from_json` alone ends with the first and says nothing of the rest."""

REASONS = {
    "large": f"the value is larger than {PEOPLE_MAX_BYTES} bytes; shorten its longest field",
    "empty": "the value is empty; a person is a JSON object",
    "not_json": "not the JSON of one person: truncated, or a field of a wrong type",
    "schema": "the header `schema` names a version of a person that is not understood (1.x is); update Rollcall, then redrive",
    "unicode": "it holds text that is not Unicode; write it as UTF-8",
    "answer": "the API's whole answer, not one person; `rollcall produce --source replay` reads such files",
    "no_uuid": "no login.uuid; people before API version 1.2 have none and cannot be told apart",
    "key": "the record's key is not the uuid of its value; send it with `rollcall produce`",
    "name": "name.first and name.last must be text, and one of them not empty",
    "gender": "gender must be a lower-case word",
    "nat": "nat must be the upper-case code of a nationality",
    "birth": "dob.date must be a date between 1900 and today",
    "email": "email must be text with one @ and a domain",
    "long": "a text is longer than a person's can be: 254 characters for the e-mail, 1000 for any other",
    "place": "location's street, city, state, country and postcode and the phone must be text or numbers",
}
"""Why a record is no person, by code; the sentence goes into the dead letter's header. None holds a personal value."""


def read(value: Column) -> Column:
    """The value (bytes) of a record as READ."""
    text = _text_of(value)
    mark = F.concat(F.lit(f'{{"{CORRUPT}":"'), _mark(text), F.lit('"}'))
    whole = F.concat(F.lit('{"between":['), mark, F.lit(","), text, F.lit(","), mark, F.lit("]}"))
    return F.from_json(whole, READ, {**STRICT, "columnNameOfCorruptRecord": CORRUPT})


def person_of(read: Column) -> Column:
    """The person (PERSON) of a value that was read."""
    return read["between"][1]


def uuid_of(person: Column) -> Column:
    """The person's uuid in the form keys and rows use."""
    return F.lower(F.trim(person["login"]["uuid"]))


def under(key: Column) -> Column:
    """The uuid that a record's key is, null for one that is none."""
    text = key.cast("string")
    return F.when(text.rlike(UUID_FORM), text)


def about(key: Column, value: Column) -> Column:
    """Uuids (array) of those whom a record that is no person is about: whose numbers stand in its value, else its key."""
    text = F.lower(value.cast("string"))
    named = F.regexp_extract_all(text, F.lit(f"({people.UUID_FORM})"))
    # what has 32 digits may be none, so it takes nothing from the key
    perhaps = F.transform(F.regexp_extract_all(text, F.lit(f"({people.NUMBER_FORM})")), _dashed)
    keyed = F.array_compact(F.array(under(_dashed(F.lower(key.cast("string"))))))
    either = F.concat(F.coalesce(perhaps, F.array().cast("array<string>")), keyed)
    return F.array_distinct(F.when(F.size(named) > 0, perhaps).otherwise(either))


def _dashed(number: Column) -> Column:
    return F.regexp_replace(number, rf"^{people.DASHLESS_FORM}\z", "$1-$2-$3-$4-$5")


def reason(key: Column, value: Column, read: Column, person: Column, birth: Column, today: Column, schema: Column) -> Column:
    """Code of REASONS for a record that is no person, null for a good one and for a null (a compaction mark).

    read, person, birth: what `read`, `person_of` and `birth_date` make of it. schema: the header, null where a sender gives
    none."""
    text = _text_of(value)
    name, place = person["name"], person["location"]
    texts = [name["first"], name["last"], person["phone"], *[place[part] for part in PLACE]]
    places = [place["city"], place["state"], place["country"], place["postcode"], person["phone"]]
    checks = [
        ("large", F.length(value) > PEOPLE_MAX_BYTES),
        ("empty", ~text.rlike(r"\S")),
        ("schema", ~F.coalesce(schema.rlike(rf"^{SCHEMA_FORM}\z"), F.lit(True))),
        ("not_json", person.isNull() | read[CORRUPT].isNotNull() | ~_alone(read, text)),
        ("unicode", (F.encode(F.decode(value, "UTF-8"), "UTF-8") != value)
         | (text.contains("\\u") & text.rlike(HALF_PAIR))),    # the pattern alone takes longer than all else
        ("answer", person["results"].isNotNull()),
        ("no_uuid", ~_holds(uuid_of(person).rlike(UUID_FORM))),
        ("key", ~_holds(key.cast("string") == uuid_of(person))),
        ("name", _any_nested([name["first"], name["last"]]) | (full_name(person) == "")),
        ("gender", ~_holds(person["gender"].rlike(rf"^{GENDER_FORM}\z"))),
        ("nat", ~_holds(person["nat"].rlike(rf"^{NAT_FORM}\z"))),
        ("birth", ~_holds((birth >= F.lit(FIRST_BIRTH).cast("date")) & (birth <= today))),
        ("email", ~_holds(F.trim(person["email"]).rlike(EMAIL_FORM))),
        ("long", _any_longer([*texts, person["dob"], person["registered"]], LONGEST_TEXT)
         | _any_longer([person["email"]], LONGEST_EMAIL)),
        ("place", _any_nested(places) | F.coalesce(place["street"].startswith("["), F.lit(False))),
    ]
    found = F.when(value.isNull(), F.lit(None).cast("string"))
    for code, wrong in checks:
        found = found.when(wrong, F.lit(code))
    return found


def _text_of(value: Column) -> Column:
    """The value as text, null where it is too large to be looked at: packed, a record of any size gets past the broker."""
    return F.when(F.length(value) <= PEOPLE_MAX_BYTES, value).cast("string")


def _mark(text: Column) -> Column:
    return F.xxhash64(text).cast("string")


def _alone(read: Column, text: Column) -> Column:
    """Whether the value is one JSON value and nothing else."""
    found, mark = read["between"], _mark(text)
    return _holds((F.size(found) == 3) & (found[0][CORRUPT] == mark) & (found[2][CORRUPT] == mark))


def full_name(person: Column) -> Column:
    """First and last name."""
    return F.concat_ws(" ", _filled(person["name"]["first"]), _filled(person["name"]["last"]))


def display_name(person: Column) -> Column:
    """Initials, by the rule of governance/masking.py: all of a name the console shows."""
    parts = [F.concat(_initial(_filled(person["name"][part])), F.lit(".")) for part in ("first", "last")]
    return F.concat_ws(" ", *parts)


def full_address(person: Column) -> Column:
    """Street, postcode and city, state, country; empty parts are left out, a postcode keeps its zeros and letters."""
    place, street = person["location"], person["location"]["street"]
    as_object = F.concat_ws(" ", F.get_json_object(street, "$.number"), F.get_json_object(street, "$.name"))
    line = F.when(street.rlike(STREET), F.regexp_replace(street, STREET, "$1 $2")).when(
        street.startswith("{"), as_object).otherwise(street)
    town = F.concat_ws(" ", _filled(place["postcode"]), _filled(place["city"]))
    parts = F.array(*[F.trim(part) for part in (line, town, place["state"], place["country"])])
    return _filled(F.concat_ws(", ", F.array_remove(parts, "")))


def birth_date(person: Column) -> Column:
    """The day of birth (UTC), of `{"date": ...}` or of the older text; null if it is none."""
    return _day(person["dob"])


def age(birth: Column, on: Column) -> Column:
    """Whole years from birth to a day."""
    before_birthday = (F.month(on) * 100 + F.dayofmonth(on)) < (F.month(birth) * 100 + F.dayofmonth(birth))
    return F.year(on) - F.year(birth) - before_birthday.cast("int")


def said_age(person: Column) -> Column:
    """The age the source says, or null."""
    told = person["dob"]
    return F.coalesce(F.regexp_extract(told, SAID_AGE, 1).cast("int"), F.get_json_object(told, "$.age").cast("int"))


def email_domain(person: Column) -> Column:
    """What follows the @, in lower case, or HIDDEN_DOMAIN by the rules of governance/masking.py."""
    return domain_shown(person["email"], full_name(person))


def readable(person: Column, birth: Column, as_of: Column, ring: Column) -> dict[str, Column]:
    """Columns of a row that stand in clear, by name: what governance/masking.py shows, null for what it hides of a place.
    birth: what `birth_date` makes of her. as_of: the day the age is of (that of the record, so that a repeated write is the
    same)."""
    place = person["location"]
    return {
        "nat": person["nat"], "gender": person["gender"], "country": _clear(place["country"]),
        "city": _clear(place["city"]), "state": _clear(place["state"]),
        "postcode_area": F.when(F.trim(place["postcode"]).rlike(f"^{POSTCODE_FORM}\\z"),
                                F.upper(F.substring(F.trim(place["postcode"]), 1, 2))),
        "display_name": display_name(person),
        "age": age(birth, as_of), "age_as_of": as_of,
        "birth_month": F.date_format(birth, "yyyy-MM"),
        "registered_month": F.date_format(_day(person["registered"]), "yyyy-MM"),
        "email_domain": email_domain(person),
        "email_token": token(F.lower(F.trim(person["email"])), ring, "email"),
    }


def personal(person: Column, birth: Column) -> dict[str, Column]:
    """The columns that are sealed, still in clear, by name (SEALED)."""
    return {
        "full_name": full_name(person), "full_address": full_address(person), "email": F.trim(person["email"]),
        "phone": _filled(person["phone"]), "birth_date": birth.cast("string"),
    }


def _initial(name: Column) -> Column:
    letter = F.regexp_replace(F.substring(name, 1, 1), rf"[^\p{{L}}]|{EAST_ASIAN}", NO_INITIAL)
    return F.substring(F.upper(letter), 1, 1)


def _filled(value: Column) -> Column:
    return F.array_remove(F.array(F.trim(value)), "")[0]    # the value is made once, as it is not by a `when`


def _clear(value: Column) -> Column:
    """Governance's mask `none` for a text: null for an address or a number that strayed there. A JSON number is text here."""
    # (?U): digits of all scripts, which takes several times as long
    said = F.when(is_ascii(value), value.rlike(UNCLEAR.pattern)).otherwise(value.rlike(f"(?U){UNCLEAR.pattern}"))
    text = F.trim(value)
    unclear = said & ~F.lower(text).rlike(UUID_FORM)
    return F.when((F.length(text) <= LONGEST_CLEAR) & ~unclear, _filled(value))


def _holds(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))


def _any_nested(values: list[Column]) -> Column:
    """Whether a text field holds an object or a list: from_json reads it as its text."""
    nested = F.lit(False)
    for value in values:
        nested = nested | F.coalesce(value.startswith("{") | value.startswith("["), F.lit(False))
    return nested


def _any_longer(values: list[Column], limit: int) -> Column:
    return F.coalesce(F.greatest(*[F.length(value) for value in values], F.lit(0)) > limit, F.lit(False))


def _day(value: Column) -> Column:
    day = F.regexp_extract(value, DAY, 1)
    other = F.trim(F.get_json_object(value, "$.date"))
    other = F.when((day == "") & value.startswith("{") & other.rlike(DATE_FORM), F.substring(other, 1, 10))
    return F.coalesce(day.cast("date"), other.cast("date"))
