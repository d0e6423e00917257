"""How whoever gets a letter comes to the return that it is about: a link of their own, or its page.

A link opens nothing by itself (`dscr_bridge.links`): signing in comes first, and what it opens sees one location.  It
is in the letter and nowhere else; neither the ledger nor the log has it.
"""

from datetime import datetime

from dscr_bridge import links
from dscr_bridge.config import Contact
from dscr_bridge.notify.notice import Notice
from dscr_bridge.opening import Bridge
from dscr_bridge.window import LONDON


def way_to_all(bridge: Bridge) -> str:
    """Say where all returns stand; empty where nobody serves pages."""
    pages = bridge.config.pages
    return f"\nAll of them, each with its next step: {pages.public_url}/" if pages and pages.public_url else ""


def way_to(bridge: Bridge, contact: Contact, notice: Notice, now: datetime) -> str:
    """Say how this person comes to the return of a notice; empty where it is about none, or nobody serves pages."""
    pages = bridge.config.pages
    if pages is None or pages.public_url is None or len(notice.obligations) != 1:
        return ""
    location, care_type, _ = notice.obligations[0].split("/")
    if not contact.account:
        return f"\n\nIts page: {pages.public_url}/location/{location}/{care_type}/"
    token = links.made(links.secret(bridge.config.data_folder), contact.account, location, care_type, now)
    until = (now + links.LASTS).astimezone(LONDON)
    return (
        f"\n\nAnswer and approve it here: {pages.public_url}/return/{token}\n"
        f"The link is yours alone and for this return. It asks you to sign in, and works until {until:%A} {until.day} "
        f"{until:%B, %H:%M}."
    )
