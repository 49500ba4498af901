"""The kinds of fault that make a record a dead letter: what each is called, and what usually causes it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """`title` may name the {place}: the field that the fault is in, or PostgreSQL's code of a refusal."""

    title: str
    cause: str
    mend: str


FAULTS = {
    "not-json": Fault(
        "Not JSON",
        "Something that is no Rasa server writes into the same topic or table, or the record was cut short on its way.",
        "Give Rasa’s events a topic of their own. A record that was cut short can be completed by hand.",
    ),
    "too-deep": Fault(
        "Nested too deeply",
        "A custom action or channel puts structures inside each other without an end, or somebody tries what happens.",
        "Mend the sender. The record itself is of use only after its nesting is taken out.",
    ),
    "not-an-object": Fault(
        "JSON, but no event",
        "A list, a number or a text stands where Rasa writes an object: another program writes into the same topic.",
        "Give Rasa’s events a topic of their own.",
    ),
    "missing": Fault(
        "{place} is missing",
        "Every event needs sender_id, event and timestamp. Rasa always writes them; a custom event broker, "
        "or a program that copies events, left one out or wrote it as another type.",
        "Mend the sender. Where you know the value, edit the record and try again.",
    ),
    "out-of-range": Fault(
        "{place} is out of range",
        "A time outside the years 1 to 9999: mostly milliseconds where Rasa writes seconds, or a clock that is wrong.",
        "Edit the time to seconds since 1970 and try again.",
    ),
    "refused": Fault(
        "Refused by the database, {place}",
        "The event can be read, but PostgreSQL would not store it: a value is beyond what a column or index can hold.",
        "Shorten what is too long and try again, or try again unchanged after an update of Parley.",
    ),
    "damaged": Fault(
        "Damaged in Kafka",
        "The bytes in the topic are no record, or no batch of records, any more: a broken disk, or a program that "
        "writes Kafka’s format by itself. They are kept as they are, and what came after them was taken.",
        "Repair the environment by the incident on the source’s page. Where you can tell the event in the bytes, edit "
        "them to its JSON and try again.",
    ),
    "elsewhere": Fault(
        "Edited into another place",
        "Somebody edited the record so that it names another assistant, whose conversations they may not change.",
        "Edit metadata.assistant_id back, or ask somebody who may.",
    ),
}
UNNAMED = Fault("{fault}", "A kind of fault that this version of Parley does not name.", "Read what is wrong below.")


def fault_of(fault: str, place: str = "") -> Fault:
    """The words about one cause, with its place filled in."""
    words = FAULTS.get(fault, UNNAMED)
    title = words.title.replace("{fault}", fault).replace("{place}", place)
    return words._replace(title=title.removesuffix(", "))
