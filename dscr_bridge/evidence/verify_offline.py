"""Check this evidence pack offline: python3 verify.py [FOLDER].  Needs Python 3 and nothing else."""
# fmt: off
# ruff: noqa: T201
# mypy: ignore-errors

import hashlib
import json
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
FOLDER = FOLDER if FOLDER.is_dir() else FOLDER.parent
COVERED = ("chain", "n", "at", "kind", "care_type", "window", "body", "document_sha256", "previous")
wrong = []


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def canonical(content):
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# 1. Every file is as it was when the pack was made, none is missing and none was added.
files = sorted(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())
actual = {p: sha256((FOLDER / p).read_bytes()) for p in files if p != "MANIFEST.sha256" and "__pycache__" not in p}
manifest = (FOLDER / "MANIFEST.sha256").read_bytes()
if manifest != "".join(f"{digest}  {p}\n" for p, digest in actual.items()).encode():
    stated = {line[66:]: line[:64] for line in manifest.decode(errors="replace").splitlines()}
    differing = [p for p in sorted({*stated, *actual}) if stated.get(p) != actual.get(p)]
    wrong += [f"{p}: not as it was" for p in differing] or ["MANIFEST.sha256: altered"]

# 2. Every event follows the one before it: nothing was altered, taken out or put in.
for path in sorted((FOLDER / "chains").glob("*.jsonl")):
    previous, n = "0" * 64, 0
    for n, line in enumerate(path.read_bytes().splitlines(), 1):
        event = json.loads(line)
        follows = event["n"] == n and event["previous"] == previous
        if not follows or sha256(canonical({k: event[k] for k in COVERED})) != event["hash"]:
            wrong.append(f"{path.name}: event {n} does not hold")
            break
        previous = event["hash"]
    print(f"{path.name}: {n} events, head {previous}")

# 3. Every document has the hash under which the events name it.
documents = (FOLDER / "documents").glob("*")
wrong += [f"{p.name}: the bytes were altered" for p in documents if sha256(p.read_bytes()) != p.name]
print("\n".join(wrong) or f"Sound: {len(actual)} files, every chain and every document hold.")
sys.exit(1 if wrong else 0)
