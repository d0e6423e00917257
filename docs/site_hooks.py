"""Bring the READMEs that stand beside connectors and definitions, and the changelog, into the site as pages."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ADDED = {"connectors.md": "connectors/README.md", "definitions.md": "mappings/README.md", "changes.md": "CHANGELOG.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages; links to files that are no pages become plain text."""
    from mkdocs.structure.files import File

    for name, source in ADDED.items():
        text = re.sub(r"\[([^\]]+)\]\((?!http)[^)]*\)", r"\1", (ROOT / source).read_text("utf-8"))
        files.append(File.generated(config, name, content=text))
    return files
