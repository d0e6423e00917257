"""Posts, shifts and absences: people who work are joined across sources."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from dscr_bridge.assemble.entry import Homes, homes_by_key
from dscr_bridge.assemble.moments import LONG_AGO, Snapshot
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.rows import Key, each_once, rows_of
from dscr_bridge.tables import Records


class Post(NamedTuple):
    """A post at a home; the columns are those of the canonical table."""

    post_key: Key
    worker_key: Key
    loc: str
    role_group: str
    engagement: str
    care_type: str | None
    active: int
    start_at: str
    end_at: str | None
    last_shift_at: str | None
    placeholder: int | None


class Posts:
    """The posts of one source at its homes, each once."""

    def __init__(self, records: Records, places: Places, homes: Homes, src: int, now: Snapshot) -> None:
        """Join the rows of the table `post`; one that names several places has several, which can come to the same."""
        self.unplaced, self.odd = False, Counter[tuple[str, str]]()
        found: list[Post] = []
        ours, of, whole = homes.of_source[src], homes.of, places.whole
        home_of = places.home_of
        for (key, worker, organisation, place, site, role, engagement, care_type, active, start, end, last_shift,
             placeholder) in rows_of(records, "post"):  # fmt: skip
            loc = home_of(site, place, organisation)
            if loc is None and place is None and organisation is None:
                loc = whole
            if loc is None:
                self.unplaced = True
                if active in (None, 1) and not now.is_over(end):
                    self.odd.update((home, "post_home_unclear") for home in places.homes_below.get(organisation, ()))
            elif loc in ours:
                home = of[loc]
                found.append(Post(
                    key, worker, loc, role or "operator_choice", engagement or home.engagement or "operator_choice",
                    care_type or home.only_care_type, 1 if active is None else active, start or LONG_AGO, end,
                    last_shift, placeholder))  # fmt: skip
        self.posts = list(each_once(found))


def shifts(sources: Sequence[Records], posts: Iterable[Post], now: Snapshot) -> dict[tuple[Key, str], str]:
    """Give the newest shift of each worker at each home.

    Shifts that were worked, not the ones to come; one without a home is at the only home where its worker has a post.
    """
    found: dict[tuple[Key, str], str] = {}
    told = [row for one in sources for row in rows_of(one, "shift") if row[2] <= now.as_at]
    homes = homes_of_workers(posts) if told else {}
    for worker, site, at in told:
        at_home = homes.get(worker, ())
        loc = site or (next(iter(at_home)) if len(at_home) == 1 else None)
        if loc is not None and found.get((worker, loc), "") < at:
            found[worker, loc] = at
    return found


def with_shifts(posts: Iterable[Post], shifts: Mapping[tuple[Key, str], str], now: Snapshot) -> Iterable[Post]:
    """Give the posts with the newest shift that the post itself or a rota tells, each once."""
    told: list[Post] = []
    for post in posts:
        own = post.last_shift_at if post.last_shift_at is not None and post.last_shift_at <= now.as_at else ""
        newest = max(own, shifts.get((post.worker_key, post.loc), "")) or None
        told.append(post if newest == post.last_shift_at else post._replace(last_shift_at=newest))
    return each_once(told)


def shifts_without_post(
    shifts: Mapping[tuple[Key, str], str], posts: Iterable[Post], now: Snapshot
) -> Counter[tuple[str, str]]:
    """Count the workers with a shift of the last week at a home where they have no post."""
    if not shifts:
        return Counter()
    held = {(post.worker_key, post.loc) for post in posts}
    return Counter((at[1], "shift_without_post") for at, when in shifts.items()
                   if when > now.week_ago and at not in held)


class Absence(NamedTuple):
    """A worker's absence; no location means that none is known."""

    absence_key: Key
    worker_key: Key
    loc: str | None
    category: str
    start_at: str
    end_at: str | None


def absences(records: Records, posts: Iterable[Post], whole: str | None) -> list[Absence]:
    """Give the absences of one source; one that names no home is from every home where the worker has a post."""
    rows = rows_of(records, "absence")
    homes = homes_of_workers(posts) if rows else {}
    found: dict[Absence, None] = {}
    for key, worker, site, category, start, end in rows:
        for loc in (site,) if site else homes.get(worker, (whole,)):
            found[Absence(key, worker, loc, category or "operator_choice", start or LONG_AGO, end)] = None
    return list(found)


def homes_of_workers(posts: Iterable[Post]) -> Mapping[Key, Collection[str]]:
    """Give the homes at which each worker has a post."""
    return homes_by_key((post.worker_key, post.loc) for post in posts)
