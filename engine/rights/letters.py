"""Dead letters about people who are to be erased, or were: taken away, and what of them stays looked at."""

from collections.abc import Collection

from engine.dead_letters.alone import alone
from engine.dead_letters.discard import discard
from engine.dead_letters.redrive import PRINCIPAL
from engine.rights import topics
from engine.rights.persons import About
from engine.rights.topics import Letters
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores import dead_letters


def taken_away(settings: Settings, keys: KeyRing, about: About, because: str,
               before: Collection[str] = ()) -> Letters:
    """Discards the letters about these people, and says what the topic holds of them afterwards; one that is being redriven
    stands. before: marks of those that earlier runs took away. Raises StoreAway, SignInRefused."""
    with alone(settings):
        box = dead_letters.read(settings, PRINCIPAL, keys)
        mine = [letter for letter in box.standing if about(letter.value)]
        over = [place for place in box.left_over if about(box.letters[place].value)]
        if mine or over:
            discard(settings, mine, box, because, "erasure")
    held = topics.of_letters(settings, keys, about, before)
    topics.tick(settings, settings.kafka.dead_topic, {letter.partition for letter in held.behind})
    return held
