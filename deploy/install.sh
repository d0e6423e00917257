#!/bin/sh
# Install one wheel into a folder of its own: install.sh WHEEL TARGET [CONSTRAINTS].  Used by the Containerfile and by hand.
set -eu
wheel=$1 target=$2 constraints=${3:-}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed." >&2; exit 1; }
python3 -m venv "$target"
"$target/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check ${constraints:+--constraint "$constraints"} "$wheel"
"$target/bin/dscr-bridge" --version
