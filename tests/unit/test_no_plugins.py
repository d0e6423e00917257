"""Code that the configuration does not name is never loaded, however it got onto the machine."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_plugin_of_a_library_that_somebody_installed_is_not_loaded(tmp_path: Path) -> None:
    """A plugin of pydantic would see every value of the configuration and of the receiver's answers."""
    about = tmp_path / "stranger-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pydantic]\nstranger = stranger:plugin\n")
    (tmp_path / "stranger.py").write_text("print('loaded')\nplugin = None\n")
    validate = "import pydantic; pydantic.TypeAdapter(int).validate_python(1); pydantic.create_model('M', a=(int, 1))(a=2)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("PYDANTIC_DISABLE_PLUGINS", None)

    def said(first: str) -> str:
        ran = subprocess.run([sys.executable, "-W", "ignore", "-c", f"{first}; {validate}"], env=environment,
                             capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
        return ran.stdout

    assert said("pass") == "loaded\n"  # the stranger would have been heard
    assert said("import dscr_bridge") == ""
