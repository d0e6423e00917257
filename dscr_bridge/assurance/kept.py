"""What is kept, where, for how long and how it ends: the rows of the retention table."""

from dataclasses import dataclass

from dscr_bridge.opening import Bridge

_THEIRS = "Not deleted by this program: the provider must, by its own schedule"


@dataclass(frozen=True)
class Kept:
    """Something that is kept."""

    what: str
    identifies: str
    where: str
    how_long: str
    ends: str


def kept(bridge: Bridge) -> list[Kept]:
    """List what is kept and for how long, as this configuration and the program have it."""
    data = str(bridge.config.data_folder.name)
    pages = bridge.config.pages
    session = f"{pages.idle_minutes} minutes untouched, {pages.session_hours} hours at most" if pages else "not served"
    found = [
        Kept("Records of people, while they are counted", "Yes, in keyed form", "memory of this program",
             "one reading, minutes", "Freed after the count; never written to a disk by this program"),
        Kept("The key of the hashes", "No", "memory of this program", "one reading",
             "Forgotten; random for each reading"),
        Kept("Figures of returns", "No person; a small number may point to one", f"ledger, {data}/", "until expunged",
             "dscr-bridge ledger expunge ends figures that were never sent; what was sent is proof"),
        Kept("Events, decisions, names of those who decided", "Staff of the provider who decide", f"ledger, {data}/",
             "for good", "Append-only: proof of a legal duty, for representations and claims"),
        Kept("Receipts and crib sheets", "Those who approved, by name", f"{data}/", "until you delete them",
             "Receipts can be made anew from the ledger"),
        Kept("Accounts of the pages", "Users of the pages", f"{data}/pages/accounts.json", "until removed",
             "dscr-bridge account remove; their sessions end at once"),
        Kept("Sessions of the pages", "Users of the pages", "memory of this program", session,
             "End by themselves, at sign-out and at each start"),
        Kept("Alerts", "Contacts of the provider", "the contacts' own post", "as they keep it",
             "The ledger keeps what they were about and whom they reached, not their words"),
        Kept("The log", "No", "where the operating system keeps it", "as the operating system rotates it",
             "Only an allow-list of fields is ever written: ids, states, durations, sizes"),
        Kept("These documents", "Contacts, by name", f"{data}/assurance", "until made anew", "Overwritten whole"),
    ]  # fmt: skip
    folders = [(s, f"{s.folder}{' and its folders of taken and refused files' if s.watched else ''}")
               for s in bridge.config.source if s.folder is not None]  # fmt: skip
    return found + [
        Kept(
            f"Export files of {s.name}", "Yes: they are the source's own files", where, "until you delete them", _THEIRS
        )
        for s, where in folders
    ]
