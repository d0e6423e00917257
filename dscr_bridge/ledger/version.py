"""How far the ledger's tables have come."""

HEAD = "0002"  # the newest of the migrations
