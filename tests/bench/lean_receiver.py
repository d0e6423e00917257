"""A receiver that keeps the contract and does as little as it can, in a process of its own: `python -m tests.bench.lean_receiver`.

It prints its address as one line.  A slow receiver would flatter whoever is measured against it, so this one answers
from memory.  A number after it is how many milliseconds it takes over each answer, as a platform far away does.
"""

import asyncio
import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

RECORD: dict[str, dict[str, Any]] = {}   # window/location/care type -> what stands there, by section
NUMBER = 0
SECONDS = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *rest = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await asyncio.sleep(SECONDS)
            status, answer = _answer(*line.split()[:2], headers, body)
            raw = json.dumps(answer).encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw)
    except asyncio.IncompleteReadError:
        writer.close()


def _answer(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, Any]]:
    window, location, care_type, *more = path.split("/")[3:]
    there = RECORD.setdefault(f"{window}/{location}/{care_type}", {})
    if method == "GET":
        return "200 OK", {"window": window, "location": location, "care_type": care_type, "sections": there}
    section, submission_id = more[1], headers["idempotency-key"].rpartition("/")[0]
    sha = hashlib.sha256(body).hexdigest()
    if there.get(section, {}).get("body_sha256") == sha:
        return "409 Conflict", {"type": "urn:dscr-bridge:problem:superseded"}  # nobody may send twice unnoticed
    global NUMBER
    NUMBER += 1
    now, reference = datetime.now(UTC).isoformat(), f"REF-{NUMBER}"
    there[section] = {
        "items": json.loads(body)["items"], "submission_id": submission_id, "body_sha256": sha, "last_updated": now,
        "revision": int(submission_id.rpartition(":")[2]), "changed_by": "api", "in_window": True, "reference": reference,
        "version": 1,
    }  # fmt: skip
    return "201 Created", {
        "reference": reference, "level": "accepted", "section": section, "submission_id": submission_id,
        "body_sha256": sha, "received_at": now, "in_window": True, "messages": [],
    }  # fmt: skip


async def main() -> None:
    """Serve on the loopback until standard input is closed."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
