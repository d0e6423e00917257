"""Random homes in the notation, the same for the same seed: with every kind of record, oddity and edge rule."""

import random

from dscr_bridge import mapping

DAYS = ("2025-03-01", "2026-08-31", "2026-10-06", "2026-11-03", "2026-11-08", "2026-11-10", "2026-12-01")
TYPES = ("type general_nursing", "type dementia_residential", "untyped", "", "")
BEDS = tuple(f"b{n}" for n in range(1, 8))


def random_home(seed: int) -> tuple[list[str], dict[str, object]]:
    """Give the lines of a home and the settings of its provider."""
    chance = random.Random(seed)  # noqa: S311  (a home that can be made again)
    makers = (_bed, _bed, _stay, _stay, _booking, _person, _post, _post, _absence, _dose, _declared, _service, _hours)
    lines = [chance.choice(makers)(chance) for _ in range(chance.randint(0, 60))]
    return lines, _settings(chance) if chance.random() < 0.7 else {}


def _settings(chance: random.Random) -> dict[str, object]:
    settings: dict[str, object] = {"confirmed_none": ["stay", "staff_post", "vaccination"]}
    for s in mapping.load_settings():
        if s.name != "confirmed_none" and chance.random() < 0.3:
            settings[s.name] = (
                chance.choice(s.choices) if s.type == "choice" else chance.random() < 0.5 if s.type == "flag"
                else chance.randint(s.least, min(s.most, 60)))
    return settings


def _bed(c: random.Random) -> str:
    state = c.choice(("", "", "closed", "gone", "shut", "unsaid", "flexible", "flexible"))
    return f"bed {c.choice(BEDS)} {state} {c.choice(('', '', 'places 2', 'places 3'))} {c.choice(TYPES)}"


def _stay(c: random.Random) -> str:
    state = c.choice(("", "", "", "away", "unresolved", "ended", "planned", "void", "day", "to_hospital"))
    where = c.choice(("", *(f"in {b}" for b in BEDS), *(f"in {b}" for b in BEDS), "held b2", "in b1 to b4 on 2026-11-02", "in b3 held b5"))
    more = c.choice(("", "", "at B", "until 2026-11-20", "until 2026-11-06", "for general_nursing", "for dementia_residential"))
    return f"also stay p{c.randint(1, 12)} {state} {where} {more} since {c.choice(DAYS)}"


def _booking(c: random.Random) -> str:
    return (f"also booking {c.choice(('any', 'b1', 'b4', 'b6', 'b7'))} on {c.choice(DAYS)} {c.choice(('', 'tentative'))} "
            f"{c.choice(('', 'places 2', 'places 9'))} {c.choice(('', '', 'until 2026-11-07', 'made 2026-11-30', 'at B'))}")


def _person(c: random.Random) -> str:
    return f"person p{c.randint(1, 12)} {c.choice(('', '', 'died'))} {c.choice(('', 'is p1', 'is p2'))}"


def _post(c: random.Random) -> str:
    role = c.choice(("nurse", "care", "care", "noncare", "manager", "volunteer", "sharer"))
    how = c.choice(("", "", "bank", "agency", "unsettled", "inactive", "zero", "agency placeholder"))
    shift = c.choice(("", "shift 2026-11-08", "shift 2026-11-08", "shift 2026-10-01"))
    more = c.choice(("", "", "at B", "at C", "until 2026-11-08", "since 2026-11-20"))
    return f"also post w{c.randint(1, 14)} {role} {how} {shift} {more}"


def _absence(c: random.Random) -> str:
    why = c.choice(("covid", "other", "not_counted", ""))
    return f"also absence w{c.randint(1, 14)} {why} since {c.choice(DAYS)} {c.choice(('', 'at A', 'until 2026-11-08'))}"


def _dose(c: random.Random) -> str:
    who = c.choice((f"p{c.randint(1, 12)}", f"w{c.randint(1, 14)}"))
    kind = "worker" if who[0] == "w" else ""
    how = c.choice(("", "", "refused", "void", "undated", "subpotent", "secondary"))
    first = c.choice(DAYS)
    return f"also dose {who} {c.choice(('flu', 'flu', 'covid'))} {kind} {how} on {first} to {max(first, c.choice(DAYS))}"


def _declared(c: random.Random) -> str:
    item = c.choice(("ch_beds_max_capacity", "ch_beds_vacant_reserved", "ch_beds_occupied", "ch_staff_agency_care"))
    split = c.choice(("", "", "type general_nursing")) if "beds" in item else ""
    return f"also declared {item} is {c.randint(0, 12)} {split}"


def _service(c: random.Random) -> str:
    state = c.choice(("", "", "hold", "planned", "ended", "void", "tenant"))
    return f"also service p{c.randint(1, 12)} {state} since {c.choice(DAYS)} {c.choice(('', '', 'until 2026-11-05'))}"


def _hours(c: random.Random) -> str:
    when = c.choice(("", "", "since 2026-09-01 until 2026-09-30"))
    return f"also hours {c.choice(('paid', 'overtime', 'agency', 'absence'))} is {c.randint(0, 900)} {c.choice(('', 'days', 'provisional'))} {when}"
