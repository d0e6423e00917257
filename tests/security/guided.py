"""Fuzzing that is guided by coverage (atheris): the doors of `test_fuzz`, each with bytes that reach ever more branches.

    python tests/security/guided.py DOOR SECONDS       (needs `pip install atheris`, which has wheels for Linux alone)

It ends with 0 when the time is over, and with a file of the bytes when a door did other than promised.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dscr_bridge"]):
    sys.path.insert(0, str(Path(__file__).parent))
    import test_fuzz

from dscr_bridge.errors import BridgeError


def main(door: str, seconds: str) -> None:
    """Fuzz one door for so many seconds."""
    open_it, allowed = test_fuzz.DOORS[door], (BridgeError, *test_fuzz.ITS_OWN.get(door, ()))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    seeds = folder / "seeds"
    seeds.mkdir()
    for n, sample in enumerate(test_fuzz.SAMPLES):
        (seeds / str(n)).write_bytes(sample)

    def one(content: bytes) -> None:
        try:
            open_it(content, folder)
        except allowed as refused:
            assert test_fuzz.CANARY not in str(refused)

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-max_len=4096", "-verbosity=0", str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
