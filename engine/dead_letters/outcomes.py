"""What may become of a letter that is redriven, in words: for the command and for the page."""

from engine.dead_letters.redrive import BARRED, FAILED, READY
from engine.stores.dead_letters import ACCEPTED, OVERTAKEN, REFUSED

SAYS = {
    READY: "would be sent to the stream, which judges them",
    ACCEPTED: "accepted: their people are rows",
    OVERTAKEN: "overtaken: a newer record of the same person is her row",
    FAILED: "sent and found bad again: they stay dead letters",
    REFUSED: "still no person: they stay dead letters",
    BARRED: "of people who are erased, or were after the record: they stay dead letters",
}
