"""What the provider keeps: one receipt per return, as JSON and as one page that prints.

A receipt never says more than is proved: arrived, accepted, or on record inside the window are different things.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dscr_bridge import paper
from dscr_bridge.paper import in_words, listed, sentence, text
from dscr_bridge.returns import several

CARE_TYPES = {"care_home": "Care home", "home_care": "Home care"}
KINDS = {"full": "Full return", "unchanged": "No change", "nil": "Nil return", "correction": "Correction"}
CHANNELS = {
    "receiver-api": "Sent by program", "portal": "Typed into the platform's screens by program and read back",
    "bulk-file": "Uploaded in a bulk file by a person", "by-hand": "Entered by hand",
}  # fmt: skip
OBTAINED = {
    "counted": "Counted", "declared": "Stated by the provider", "not_asked": "Not asked this month",
    "unsupported": "No source holds it", "unknown": "Not known", "temp_unknown": "Source was down",
    "not_permitted": "Source did not allow it", "error": "Could not be read",
}  # fmt: skip
LEFT_OUT = OBTAINED | {
    "unconfirmed": "No person has yet compared its wording with the live notice",
    "left_out_by_person": "A person left it out",
}
# state -> (tone of the panel, headline, sentence)
STATES = {
    "on_record": ("good", "On record, inside the window",
                  "Every section was read back from the receiver: the figures stand there as they were sent."),
    "on_record_late": ("look", "On record, but late",
                       "Every section was read back from the receiver, but its stamp is after the window closed."),
    "accepted": ("look", "Accepted, not yet read back",
                 "The receiver accepted every section. The bridge still has to read them back."),
    "confirmed_by_hand": ("good", "Entered by hand",
                          "A person typed the figures in and confirmed it. No receipt of the receiver is held."),
    "ready": ("look", "Not sent yet", "The figures are ready. This page proves nothing yet."),
    "held": ("bad", "Held: a person must look", "The figures at the receiver and those of the bridge do not agree."),
}  # fmt: skip
_TAKEN = ("on_record", "on_record_late", "accepted", "confirmed_by_hand")
_AGREE_SECONDS = 2
_OTHER = ("bad", "Not finished", "This return is not on record. This page shows how far it came.")


@dataclass(frozen=True)
class Written:
    """Where a receipt was written."""

    json: Path
    page: Path


def write(folder: Path, receipt: Mapping[str, Any]) -> Written:
    """Write `<location>-<care type>-<window>-r<revision>.json` and `.html` into `folder`, each whole or not at all.

    `receipt` comes from `sending.receipt_of`.  Raises OSError.
    """
    name = name_of(receipt["location"], receipt["care_type"], receipt["window"], receipt["revision"])
    written = Written(folder / f"{name}.json", folder / f"{name}.html")
    document = json.dumps(receipt, indent=2, sort_keys=True, ensure_ascii=False)
    paper.write_whole(written.json, f"{document}\n".encode())
    paper.write_whole(written.page, page(receipt).encode())
    return written


def name_of(location: str, care_type: str, window: str, revision: int) -> str:
    """Give the name of a receipt's files, without its ending."""
    return f"{location}-{care_type}-{window}-r{revision}"


def page(receipt: Mapping[str, Any]) -> str:
    """Give the printable page of a receipt as HTML text."""
    what = receipt.get("about") or f"return, {_month(receipt['window'])}"
    title = f"{_who(receipt)}: {CARE_TYPES[receipt['care_type']].lower()} {what}"
    parts = [
        '<p class="made">Receipt made by dscr-bridge for the provider&#x27;s own records. '
        "It is not a document of DHSC, the NHS or Capacity Tracker.</p>",
        f"<h1>{text(title)}</h1>",
        _panel(receipt), _summary(receipt), _sections(receipt), _left_out(receipt), _warnings(receipt), _proof(receipt),
    ]  # fmt: skip
    return paper.page(f"Receipt: {title}", "\n".join(p for p in parts if p), simulated=receipt["simulated"])


def _panel(receipt: Mapping[str, Any]) -> str:
    tone, headline, sentence = STATES.get(receipt["state"], _OTHER)
    if receipt["state"] == "ready" and receipt["reason"] == "awaiting_confirmation":
        headline, sentence = "Handed out to be entered by hand", "It still has to be entered and confirmed."
    if receipt["state"] == "on_record_late" and receipt["by_hand"]:
        headline = "Entered by hand, after the close"
        sentence = "A person typed the figures in after the window had closed. No receipt of the receiver is held."
    if receipt["state"] in _TAKEN and (n := sum(_waits_for_its_wording(x) for x in receipt["left_out"])):
        sentence += f" {n} {'question is' if n == 1 else 'questions are'} not in it: see Not sent."
    return f'<div class="panel {tone}"><strong>{text(headline)}</strong>{text(sentence)}</div>'


def _summary(receipt: Mapping[str, Any]) -> str:
    by_hand, late = receipt["by_hand"] or {}, receipt.get("late") or {}
    kind = KINDS.get(receipt["kind"], receipt["kind"])
    named = receipt["location_name"] and f"{receipt['location_name']} ({receipt['location']})"
    return listed([
        ("Location", text(named or receipt["location"])),
        ("Provider", text(receipt["provider"])),
        ("Outside any window", text(_due(receipt))) if receipt.get("about") else
        ("Reporting window", text(_window(receipt))),
        ("Kind of return", text(f"{kind}, revision {receipt['revision']}")),
        ("Reason", text(in_words(receipt.get("nil_reason") or ""))),
        ("Figures as at", _both(receipt["as_at"])),
        ("Sent", _both(receipt["sent"])),
        ("Received, by the receiver's clock", _both(receipt["received"]) + text(_before_it_went(receipt))),
        ("Sent after the close by", text(late.get("by", ""))),
        ("Why it was late", text(late.get("reason", ""))),
        ("Entered by hand", _both(by_hand.get("entered"))),
        ("Entered by", text(by_hand.get("by", ""))),
        ("Reference", text(by_hand.get("reference", ""))),
        ("Note", text(by_hand.get("note") or "")),
        ("Attached", _attached(by_hand.get("attached"))),
        ("How", text(CHANNELS.get(receipt["channel"], receipt["channel"] or ""))),
        ("Receiver", text(in_words(receipt["environment"] or ""))),
        ("Approved by", text(receipt["approved_by"] or "")),
    ])  # fmt: skip


def _sections(receipt: Mapping[str, Any]) -> str:
    tables = "".join(_section(s) for s in receipt["sections"])
    grade = '<p class="quiet">Wording: how sure it is that the question is worded like this, from A (seen in the ' \
            "formal notice) to D.</p>"  # fmt: skip
    return tables + grade


def _section(section: Mapping[str, Any]) -> str:
    rows = "".join(_figure(f) for f in section["figures"])
    return (
        f"<h2>{text(in_words(section['section']))}</h2><table>{_caption(section)}<thead><tr><th scope=\"col\">Item</th>"
        '<th scope="col" class="figure">Figure</th><th scope="col" class="middle">How obtained</th>'
        '<th scope="col" class="narrow">Wording</th></tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _caption(section: Mapping[str, Any]) -> str:
    if not section.get("reference"):
        return ""
    credit = {True: "in the window", False: "after the window", None: ""}[section["in_window"]]
    when = section["received"]["london"] if section["received"] else ""
    said = ", ".join(p for p in (in_words(section["state"]).lower(), credit, when) if p)
    return f"<caption>Receiver&#x27;s reference <strong>{text(section['reference'])}</strong>: {text(said)}</caption>"


def _figure(figure: Mapping[str, Any]) -> str:
    split = "; ".join(f"{in_words(bed_type)} {n}" for bed_type, n in sorted((figure["by"] or {}).items()))
    below = f'<br><span class="split">{text(split)}</span>' if split else ""
    return (
        f"<tr><th scope=\"row\">{_label(figure)}{below}</th>"
        f"<td class=\"figure\">{text(_value(figure['value']))}</td><td>{text(_obtained(figure))}</td>"
        f"<td>{text(figure['grade'])}</td></tr>"
    )


def _label(about: Mapping[str, Any]) -> str:
    return text(sentence(about["wording"]) if about["wording"] else in_words(about["item"]))


def _value(value: Any) -> str:
    if value is None:
        return "not given"
    return in_words(value) if isinstance(value, str) else f"{value:,}"


def _obtained(figure: Mapping[str, Any]) -> str:
    said = OBTAINED[figure["state"]]
    if figure["state"] == "counted" and figure["source"]:
        said += f" from {figure['source']}"
    if figure["counted_value"] is not None:
        said += f"; the records give {_value(figure['counted_value'])}"
    return said if figure["complete"] else f"{said}; not complete"


def _left_out(receipt: Mapping[str, Any]) -> str:
    if not receipt["left_out"]:
        return ""
    rows = "".join(
        f"<tr><th scope=\"row\">{_label(x)}</th><td>{text(_why_not(x))}</td>"
        f"<td>{text(', '.join(filter(None, (x['by'], x['note']))) or 'The definitions')}</td></tr>"
        for x in receipt["left_out"]
    )
    head = '<th scope="col">Item</th><th scope="col" class="middle">Why</th>'
    head += '<th scope="col" class="middle">Decided by</th>'
    return f"<h2>Not sent</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _waits_for_its_wording(left_out: Mapping[str, Any]) -> bool:
    return left_out["reason"] == "unconfirmed" and "state" not in left_out


def _why_not(left_out: Mapping[str, Any]) -> str:
    if left_out["reason"] != "unconfirmed" or _waits_for_its_wording(left_out):
        return LEFT_OUT[left_out["reason"]]
    why = f" ({left_out['state_reason'].replace('_', ' ')})" if left_out["state_reason"] else ""
    return OBTAINED[left_out["state"]] + why


def _warnings(receipt: Mapping[str, Any]) -> str:
    if not receipt["warnings"]:
        return ""
    rows = "".join(
        f"<tr><th scope=\"row\">{text(w['message'])}</th>"
        f"<td>{'<br>'.join(_acceptance(a) for a in w['accepted']) or 'Shown, not asked about'}</td></tr>"
        for w in receipt["warnings"]
    )
    head = '<th scope="col">What was noticed</th><th scope="col">Accepted by</th>'
    return f"<h2>Warnings</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _acceptance(accepted: Mapping[str, Any]) -> str:
    note = f": {accepted['note']}" if accepted["note"] else ""
    return text(f"{accepted['by']}, {accepted['at']['london']}{note}")


def _proof(receipt: Mapping[str, Any]) -> str:
    offset = receipt["clock_offset_seconds"]
    chain = receipt["chain"]
    bodies = [(f"Bytes of {in_words(s['section']).lower()}", _hash(s.get("body_sha256"))) for s in receipt["sections"]]
    return "<h2>Proof</h2>" + listed([
        ("Edition of the definitions", text(receipt["edition"])),
        ("Fingerprint of the definitions", _hash(receipt["fingerprint"])),
        ("Software", text(receipt["software"])),
        ("Submission id", _hash(receipt["submission_id"])),
        ("Receiver's clock", "" if offset is None else text(_clock(offset))),
        *bodies,
        ("All figures", _hash(receipt["figures_sha256"])),
        ("Ledger", text(f"{several(chain['events'], 'event')} in the chain of {chain['name']}, the last of them:")),
        ("Head of the chain", _hash(chain["head"])),
        *_signature(receipt.get("signature")),
    ])  # fmt: skip


def _signature(signature: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """Name the signature; it covers the receipt as JSON, which is what can be checked."""
    if signature is None:
        return []
    return [(f"Signature ({signature['algorithm']})", _hash(signature["value"])),
            ("Public key of the signature", _hash(signature["public_key"]))]  # fmt: skip


def _before_it_went(receipt: Mapping[str, Any]) -> str:
    """Say why something was received before it was sent: two clocks, each read to the second."""
    sent, received, offset = receipt["sent"], receipt["received"], receipt["clock_offset_seconds"]
    if not sent or not received or datetime.fromisoformat(received["utc"]) >= datetime.fromisoformat(sent["utc"]):
        return ""
    if offset is None or abs(offset) < _AGREE_SECONDS:
        return "; earlier than Sent only because the two clocks, each read to the second, are not exactly the same"
    return f"; earlier than Sent only because that clock is {_clock(offset)}"


def _clock(offset: float) -> str:
    # HTTP dates have no fraction, so anything within a second or so is agreement.
    if abs(offset) < _AGREE_SECONDS:
        return f"agrees with ours to within {_AGREE_SECONDS} seconds, which is as finely as it can be read"
    return f"{abs(offset):g} seconds {'ahead of' if offset > 0 else 'behind'} ours"


def _attached(attached: Mapping[str, Any] | None) -> str:
    return f"{text(attached['file'])} {_hash(attached['sha256'])}" if attached else ""


def _hash(digest: str | None) -> str:
    return f'<span class="hash">{text(digest)}</span>' if digest else ""


def _both(at: Mapping[str, str] | None) -> str:
    return "" if at is None else f"{text(at['london'])} <span class=\"quiet\">({text(at['utc'])})</span>"


def _who(receipt: Mapping[str, Any]) -> str:
    return str(receipt["location_name"] or receipt["location"])


def _month(window: str) -> str:
    return f"{date.fromisoformat(f'{window}-01'):%B %Y}"


def _due(receipt: Mapping[str, Any]) -> str:
    last = date.fromisoformat(receipt["closes_on"])
    return f"supplied after a notice, due by {last.day} {last:%B %Y}; the missed window stays missed"


def _window(receipt: Mapping[str, Any]) -> str:
    first, last = (date.fromisoformat(receipt[key]) for key in ("opens_on", "closes_on"))
    return f"{_month(receipt['window'])}: start of {first:%A} {first.day} to end of {last:%A} {last.day} {last:%B}"
