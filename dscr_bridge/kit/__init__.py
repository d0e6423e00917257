"""The scenario kit: agreed situations, their rows and the figures that they must give, as files for anybody's CI.

    write_kit(folder)                 the kit: schema, rows, FHIR and CSV tellings, expected figures
    check_kit(folder, exports)        what counts otherwise, in the kit's own tellings or a supplier's exports
    kit.rows.schema(), read_rows      the JSON Schema of canonical rows, made from the closed tables
"""

from dscr_bridge.kit.check import Checked, Exports, Outcome, check_kit
from dscr_bridge.kit.write import write_kit

__all__ = ["Checked", "Exports", "Outcome", "check_kit", "write_kit"]
