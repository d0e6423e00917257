"""The questions of a data protection impact assessment, with what this configuration answers to each."""

from dataclasses import dataclass

from dscr_bridge.assurance import facts
from dscr_bridge.opening import Bridge


@dataclass(frozen=True)
class Question:
    """One question: what is known from here, and what is left for the provider."""

    question: str
    known: tuple[str, ...]
    open: str = ""


def questions(bridge: Bridge) -> list[Question]:
    """Give the questions in the order in which the ICO's template asks them."""
    read, ways = facts.fields(bridge), facts.flows(bridge)
    tables = ", ".join(sorted({f.table.replace("_", " ") for f in read}))
    homes = sum(1 for _ in bridge.config.locations())
    mode = (
        "a named person approves each return" if bridge.config.mode == "review"
        else "a return that passes every check goes by itself, under definitions that a named person approved"
    )  # fmt: skip
    return [
        Question(
            "What is done with personal data, and why?",
            (
                "Records are read to count the monthly return that DHSC's formal notice asks of registered providers "
                "(section 277A of the Health and Social Care Act 2012, put in by the Health and Care Act 2022).",
                f"{homes} locations. Kinds of record that are read: {tables}.",
                f"How a return goes: {mode}.",
            ),
            "Confirm that this is your purpose, and since when.",
        ),
        Question(
            "On what lawful basis?",
            (
                "A legal obligation is the likely basis: UK GDPR Article 6(1)(c), and Article 9(2)(h) for health data.",
                "The condition that fits Article 9(2)(h) is paragraph 2 of Schedule 1 to the Data Protection Act 2018: "
                "health or social care purposes.",
                "This is a starting point and no legal advice.",
            ),
            "Your data protection officer decides, and writes down why.",
        ),
        Question(
            "Whose data is it?",
            ("People who are cared for; staff; agency workers.",),
            "Add groups that only you know of, for example relatives.",
        ),
        Question(
            "Where does it come from?",
            tuple(f"{f.source}: {f.by}; guarded by {f.guarded_by}." for f in ways if f.identifies),
            "Name the processor behind each source, and the contract with it.",
        ),
        Question(
            "Is no more read than is needed?",
            (
                f"{len(read)} elements are read; the field inventory lists each. Others are never decoded.",
                "No name, address, number or free text has a place to go: every column is closed.",
            ),
        ),
        Question(
            "Who receives it?",
            tuple(f"{f.target}: {f.what}." for f in ways if not f.identifies and f.source.startswith("this program")),
            "Say whether a figure below 6 could point to somebody at a small location, and what you do about it.",
        ),
        Question("Does it leave the United Kingdom?", (), "Say where this machine, its backups and your post are."),
        Question(
            "How long is it kept?",
            ("The retention table answers for this program.",),
            "Add the sources, the backups and this machine's own log.",
        ),
        Question(
            "How do people exercise their rights?",
            (
                "No record of a person is kept here, so there is none to give, mend or delete.",
                "Those who decided are named in the ledger, which proves a legal duty.",
            ),
            "Point to your own procedure.",
        ),
        Question(
            "What can go wrong for people, and what is done about it?",
            (
                "Small figures that point to somebody; a wrong figure that others act on (hazard log); somebody who "
                "comes in as another (roles, lock-out, audit trail); a stolen machine.",
            ),
            "Score each by your own scale. Say whether this machine's disk is encrypted.",
        ),
        Question(
            "Who was asked, and who signs?", (), "Data protection officer, nominated individual, the date of review."
        ),
    ]
