"""Scenarios: situations in a home, in plain lines, and the figures that they must give however a product tells them.

    load() -> Scenario, ...           the agreed situations of mappings/capacity-tracker/scenarios.toml
    load_told_in_fhir() -> Scenario   the same or other situations, told otherwise in FHIR
    rows.rows_of(lines)               canonical rows
    as_fhir.resources_of(lines)       FHIR R4 resources, as UK Core writes them
    as_csv.files_of(lines)            the files of the three CSV connectors
    counting.from_rows, from_folders  the returns, from rows or through the real connectors
    wanted.differences(...)           what came out otherwise than the scenario says
"""

from dscr_bridge.sandbox.scenarios.cases import Scenario, load, load_told_in_fhir

__all__ = ["Scenario", "load", "load_told_in_fhir"]
