"""The ledger's migrations, oldest first; each changes how things are kept, never an event."""
