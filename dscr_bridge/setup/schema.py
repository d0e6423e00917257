"""The JSON Schema of the configuration, for editors that complete and check TOML while somebody types."""

import json

from dscr_bridge.config import Config

SCHEMA_FILE = "config.schema.json"


def schema_text() -> str:
    """Give the schema, generated from the model that reads the configuration."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    schema["title"] = "The configuration of dscr-bridge"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"
