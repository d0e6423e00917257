"""Read a configuration whole: structure by pydantic, then what must hold across keys, then paths."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dscr_bridge.config.across import across
from dscr_bridge.config.anchoring import anchored
from dscr_bridge.config.whole import Config
from dscr_bridge.errors import ConfigError
from dscr_bridge.mistakes import Mistake, described, listed


def load(path: Path) -> Config:
    """Read a configuration file; paths in it are relative to it.  Raises ConfigError with every mistake at once."""
    document = _read(path)
    try:
        config = Config.model_validate(document)
    except ValidationError as refused:
        mistakes = described(refused, Config, document)
    else:
        mistakes = list(across(config))
        if not mistakes:
            return anchored(config, path.resolve().parent)
    raise _refusal(path, mistakes) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            str(path),
            f"there is no such file in {path.absolute().parent}.",
            "Nothing was read or sent.",
            "Change to the folder of the configuration, give it with --config, or make one: dscr-bridge init",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            str(path),
            "the file cannot be read as text.",
            "Nothing was read or sent.",
            "Check its permissions, and save it as UTF-8.",
        ) from None
    except tomllib.TOMLDecodeError as refused:
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(refused))
        raise ConfigError(
            str(path),
            f"this is not valid TOML{f' at {place[1]}' if place else ''}.",
            "Nothing was read or sent.",
            "Compare that line with config.example.toml.",
        ) from None


def _refusal(path: Path, mistakes: list[Mistake]) -> ConfigError:
    return ConfigError(
        str(path), listed(mistakes), "Nothing was read or sent.", "Mend the file and run: dscr-bridge validate"
    )
