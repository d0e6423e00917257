"""Histories of any length are streamed at flat memory: from NDJSON lines and from a server in pages, in a process of its own.

50,000 resources by default; a million with DSCR_DOSE=full.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOSE = {"full": 1_000_000}.get(os.environ.get("DSCR_DOSE", ""), 50_000)
# Most of a history is past: one stay in a hundred is current.
MADE = """
import json
def stay(n):
    now = n % 100 == 0
    return json.dumps({"resourceType": "Encounter", "id": f"e{n}", "status": "in-progress" if now else "finished",
        "class": {"code": "IMP"}, "subject": {"reference": f"Patient/p{n}"}, "text": {"div": "x" * 200},
        "period": {"start": "2026-01-01"} if now else {"start": "2020-01-01", "end": "2020-02-01"},
        "location": [{"location": {"reference": f"Location/l{n % 500}"}}]})
"""
SERVER = MADE + """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit
total, size = int(sys.argv[1]), 1000
class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        bundle = '{"resourceType": "Bundle", "type": "searchset", "total": 0}'
        if parts.path == "/Encounter":
            start = int(asked.get("at", ["0"])[0])
            entries = ",".join('{"resource": ' + stay(n) + "}" for n in range(start, min(start + size, total)))
            if "_summary" in asked:
                entries = ""
            following = f'{{"relation": "next", "url": "http://{self.headers["Host"]}/Encounter?at={start + size}"}}'
            bundle = '{"resourceType": "Bundle", "type": "searchset", "total": %d, "link": [%s], "entry": [%s]}' % (
                total, following if start + size < total else "", entries)
        body = bundle.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = HTTPServer(("127.0.0.1", 0), Pages)
print(server.server_port, flush=True)
server.serve_forever()
"""
READ = """
import json, re, sys
from pathlib import Path
from datetime import UTC, datetime
from dscr_bridge.config import Source
from dscr_bridge.connector import load
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.world import World
codes, said = load_codes(), json.loads(sys.argv[1])
connector = load("uk-core-fhir", codes).with_settings(said.pop("settings"))
decoding = Decoding("dscr", Keys(bytes(32)), datetime(2026, 11, 9, tzinfo=UTC), {"1-1000000001": "1-1000000001"})
found = pull(Source.model_validate(said), connector, decoding, codes, World(sleep=lambda seconds: None))
# Not getrusage: its peak counts what the parent held before this program replaced it.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps({"mb": int(peak[1]) / 1024, "received": found.received["Encounter"],
                  "current": sum(row[6] == "current" for row in found.of("stay")), "rows": sum(map(len, found.rows.values())),
                  "reading": found.reading["stay"]}))
"""


def read(**source: object) -> dict[str, float]:
    said = json.dumps({"name": "dscr", "connector": "uk-core-fhir", "settings": {"ask": "everything"}} | source)
    ran = subprocess.run([sys.executable, "-c", READ, said], capture_output=True, text=True, cwd=ROOT, timeout=1800)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def from_lines(folder: Path, how_many: int) -> dict[str, float]:
    made: dict[str, object] = {}
    exec(MADE, made)  # noqa: S102  (the text above)
    folder.mkdir()
    with (folder / "Encounter.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(made["stay"](n) + "\n" for n in range(how_many))  # type: ignore[operator]
    return read(folder=str(folder))


def from_pages(how_many: int) -> dict[str, float]:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(how_many)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            limits = {"page_size": 1000, "max_pages": 100_000, "requests_per_minute": 6000, "budget_mb": 100_000}
            return read(url=url, limits=limits)
        finally:
            server.terminate()
            server.wait(10)


@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is measured as Linux tells it")
@pytest.mark.parametrize("way", ["lines", "pages"])
def test_a_long_history_is_streamed_at_flat_memory_and_every_current_stay_is_kept(tmp_path: Path, way: str) -> None:
    def at(how_many: int) -> dict[str, float]:
        return from_lines(tmp_path / str(how_many), how_many) if way == "lines" else from_pages(how_many)

    short, whole = at(DOSE // 2), at(DOSE)
    assert (whole["received"], whole["current"], whole["reading"]) == (DOSE, DOSE // 100, "read")
    # What is kept of a resource is two rows of the current ones and eight bytes of the others.
    kept = (DOSE // 2) * (8 + 0.01 * 1500) / 1024 / 1024
    assert whole["mb"] - short["mb"] < kept + 12
    assert whole["mb"] < 120 + kept * 2
