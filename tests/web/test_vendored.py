"""What is vendored is what its README says: listed with its hash, and without marks, fonts or anything from elsewhere."""

import hashlib
import re
from pathlib import Path

import dscr_bridge

STATIC = Path(dscr_bridge.__file__).parent / "web" / "static"


def test_every_vendored_file_is_listed_with_its_hash() -> None:
    listed = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", (STATIC / "vendor" / "README.md").read_text("utf-8")))
    there = {p.relative_to(STATIC / "vendor").as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
             for p in (STATIC / "vendor").rglob("*") if p.is_file() and p.name != "README.md"}  # fmt: skip
    assert listed == there


def test_no_style_brings_a_font_a_mark_or_anything_from_elsewhere() -> None:
    for path in STATIC.rglob("*.css"):
        style = path.read_text("utf-8")
        for banned in ("@font-face", "@import", "url(", "GDS Transport", "Frutiger", "crown", "nhsuk"):
            assert banned not in style, (path.name, banned)
