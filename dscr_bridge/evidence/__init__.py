"""The pack for a representation: one folder or zip that says what was due, what was done, and what proves it.

A lay reader answers five questions from its page: was it due, was it sent, was it accepted, by when, and if not, why
not.  `verify.py` in it checks offline that not one byte was changed, with nothing but Python.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dscr_bridge import bundled, mapping, paper, receipt, sending
from dscr_bridge.evidence.account import Case, account, case_of
from dscr_bridge.evidence.page import page
from dscr_bridge.evidence.pdf import pdf
from dscr_bridge.ledger import Event
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.returns import Obligation

__all__ = ["as_pdf", "manifest", "write"]


def write(bridge: Bridge, obligation: Obligation, into: Path, *, as_zip: bool = False) -> Path:
    """Write the pack of a return below a folder, and give its path.  Raises OSError or LedgerBroken.

    It holds the location's whole chain, because a chain can only be checked from its beginning, and the exact bytes
    that the events of this return name.
    """
    case = case_of(bridge, obligation)
    name = f"evidence-{obligation.location}-{obligation.care_type}-{obligation.window}"
    folder = into / name
    if folder.exists():
        shutil.rmtree(folder)
    for path, content in _files(case):
        paper.write_whole(folder / path, content)
    paper.write_whole(folder / "MANIFEST.sha256", manifest(folder))
    return _zipped(folder) if as_zip else folder


def as_pdf(bridge: Bridge, obligation: Obligation) -> bytes:
    """Give the pack's PDF alone."""
    return pdf(account(case_of(bridge, obligation)))


def manifest(folder: Path) -> bytes:
    """List every file with its SHA-256, in the form that `sha256sum --check` reads."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = [f"{hashlib.sha256((folder / p).read_bytes()).hexdigest()}  {p}\n" for p in files if p != "MANIFEST.sha256"]
    return "".join(lines).encode()


def _zipped(folder: Path) -> Path:
    zipped = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    zipped.chmod(0o600)
    shutil.rmtree(folder)
    return zipped


def _files(case: Case) -> Iterator[tuple[str, bytes]]:
    document = account(case)
    yield "index.html", page(document).encode()
    yield "evidence.pdf", pdf(document)
    yield "pack.json", _json(document)
    yield "verify.py", (Path(__file__).parent / "verify_offline.py").read_bytes()
    for chain in (case.obligation.location, f"provider:{case.provider_id}"):
        events = case.bridge.ledger.events(chain)
        yield f"chains/{chain.replace(':', '-')}.jsonl", b"".join(_line(e) for e in events)
    for digest in sorted(_digests(case.events)):
        try:
            yield f"documents/{digest}", case.bridge.ledger.document(digest)
        except KeyError:  # expunged by retention: the chain still names its hash
            continue
    yield from _definitions(case)
    made = _receipt(case)
    if made is not None:
        yield "receipt.html", receipt.page(made).encode()
        yield "receipt.json", _json(made)


def _definitions(case: Case) -> Iterator[tuple[str, bytes]]:
    """Give the definitions byte for byte: what a fingerprint is made of, and the calendar and the thresholds."""
    edition = mapping.edition_for(case.window.opens_on)
    yield f"definitions/{edition.path.name}", edition.path.read_bytes()
    for name in ("definitions.sql", "settings.toml", "campaigns.toml", "calendar.toml", "enforcement.toml"):
        yield f"definitions/{name}", (mapping.folder() / name).read_bytes()
    for folder, codes in (("codes", bundled.mappings() / "codes"), ("more-codes", case.bridge.config.code_lists)):
        for path in mapping.code_files(codes) if codes else ():
            yield f"definitions/{folder}/{path.name}", path.read_bytes()


def _receipt(case: Case) -> dict[str, Any] | None:
    edition = mapping.edition_for(case.window.opens_on)
    try:
        return sending.receipt_of(
            case.obligation, case.bridge.ledger, case.window, software=SOFTWARE, provider=case.provider, name=case.name,
            wordings={i.id: i.title for i in edition.items},
        )  # fmt: skip
    except KeyError:
        return None


def _digests(events: tuple[Event, ...]) -> set[str]:
    named = {e.document_sha256 for e in events if e.document_sha256}
    return named | {digest for e in events if e.kind == "intended" for _, digest in e.body["sections"]}


def _line(event: Event) -> bytes:
    """Write an event as one line, with exactly what its hash covers, and its hash."""
    content = {
        "chain": event.chain, "n": event.n, "at": stamp(event.at), "kind": event.kind, "care_type": event.care_type,
        "window": event.window, "body": event.body, "document_sha256": event.document_sha256,
        "previous": event.previous, "hash": event.hash,
    }  # fmt: skip
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
