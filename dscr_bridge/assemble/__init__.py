"""Assemble: joins what the sources said about people, places and staff into the canonical tables of one run."""

from dscr_bridge.assemble.entry import Entry, Setting
from dscr_bridge.assemble.joining import assemble, assemble_in_parts

__all__ = ["Entry", "Setting", "assemble", "assemble_in_parts"]
