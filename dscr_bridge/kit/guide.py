"""The README of the kit."""

GUIDE = """# Scenario kit

Synthetic situations in three homes in which nobody lives, and the figures of the Capacity Tracker return that each
must give. Written by `dscr-bridge kit write`; `dscr-bridge kit check FOLDER` counts them all again.

    kit.json                 the homes, the snapshot (9 November 2026, 12:00 UTC), edition and fingerprint
    rows.schema.json         JSON Schema of rows.json: the canonical tables that the definitions count
    expected.schema.json     JSON Schema of expected.json
    scenarios/B05/
      expected.json          the situation in plain lines, figures by location and item, oddities that must be seen
      rows.json              the situation as canonical rows
      fhir/*.ndjson          the same as FHIR R4, as UK Core writes it (where FHIR can say it)
      csv/<connector>/*.csv  the same as the reports that the CSV connectors read (where they can say it)
      declared.json          what a person declares beside the records (where somebody does)

`null` in expected.json means that there must be no number; a figure that is missing is never 0. A beds scenario says
nothing of staff, and so on: take those that your product can tell.

## In your continuous integration

1. Enter a situation in a test instance of your product: the usual home (scenario B01) and the lines of `situation`.
   Give the homes the CQC location ids or ODS codes of kit.json, and take the export as on the snapshot.
2. Put each export into a folder named after its scenario: `exports/B01`, `exports/B05`, ...
3. `dscr-bridge kit check KIT --export exports --connector uk-core-fhir` (or the path of your own connector folder).
   Give `--connector` again for a second export of the same home; each is then in a folder of the connector's name.
   `--connector rows` reads `exports/B05/rows.json`, canonical rows that your product makes itself.

It ends with 0 when every figure is right, with 1 when one moved, naming scenario, location, item, the figure that it
must be and what it is; with 11 when the kit itself cannot be read.
"""
