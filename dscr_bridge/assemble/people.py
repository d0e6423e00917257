"""Which records are one person: links that the source made, and verified national numbers; never a name or a date.

NHS numbers join two records only where both say that the number is verified and it is no placeholder: the check digit
passes for every number of ten equal digits.  Links need not be mutual, so both directions count.
"""

from collections.abc import Iterable

from dscr_bridge.scripts import Database, script

Key = int

_ONE_PERSON = ("follow_to_survivor", "survivor", "same")
PEOPLE = script("""
CREATE TEMP TABLE person_group AS SELECT person_key, person_key AS survivor_key FROM (
  SELECT person_key FROM r_person UNION SELECT person_key FROM r_stay UNION SELECT person_key FROM r_service_user
  UNION SELECT person_key FROM r_person_link UNION SELECT other_key FROM r_person_link
  UNION SELECT person_key FROM r_person_number UNION SELECT person_key FROM r_reservation
  UNION SELECT subject_key FROM r_dose WHERE subject_kind = 'person') WHERE person_key IS NOT NULL;
CREATE UNIQUE INDEX temp.person_group_key ON person_group (person_key);
CREATE INDEX temp.person_group_survivor ON person_group (survivor_key);
""")
_SAME_NUMBER = """
SELECT DISTINCT a.person_key, a.number_key FROM r_person_number a
JOIN (SELECT number_key FROM r_person_number WHERE verified = 1 AND COALESCE(placeholder, 0) = 0
      GROUP BY number_key HAVING COUNT(DISTINCT person_key) > 1) b USING (number_key)
WHERE a.verified = 1 AND COALESCE(a.placeholder, 0) = 0
"""


def group_people(db: Database, *, follow_see_also: bool) -> None:
    """Fill `person_group` with a survivor for each person's record, from the record tables of all sources."""
    PEOPLE.fill(db)
    followed = (*_ONE_PERSON, "see_also") if follow_see_also else _ONE_PERSON
    links = [
        (person, other, link)
        for person, other, link in db.execute("SELECT person_key, other_key, link FROM r_person_link")
        if link in followed
    ]
    replaced = {p if link == "follow_to_survivor" else o for p, o, link in links
                if link in ("follow_to_survivor", "survivor")}
    pairs = [(person, other) for person, other, _ in links] + list(_by_number(db))
    survivors = [(min(group - replaced or group), member) for group in joined(pairs) for member in group]
    db.executemany("UPDATE person_group SET survivor_key = ? WHERE person_key = ?", survivors)


def joined(pairs: Iterable[tuple[Key, Key]]) -> list[set[Key]]:
    """Give the groups that the pairs make (union-find)."""
    above: dict[Key, Key] = {}

    def top(key: Key) -> Key:
        above.setdefault(key, key)
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for one, other in pairs:
        above[top(one)] = top(other)
    groups: dict[Key, set[Key]] = {}
    for key in above:
        groups.setdefault(top(key), set()).add(key)
    return list(groups.values())


def _by_number(db: Database) -> Iterable[tuple[Key, Key]]:
    first: dict[Key, Key] = {}
    for person, number in db.execute(_SAME_NUMBER):
        yield person, first.setdefault(number, person)
