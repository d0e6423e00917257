"""The same flow for thousands of locations: workers on any number of machines, fed by jobs in PostgreSQL.

The ledger remembers; the jobs only say whose turn it is.  A job carries nothing but the id of an obligation, so that
losing every job loses nothing: the next look at the ledger and the calendar makes them anew.  When to try again is
decided by the ladder of `sending`, never by the queue.  Procrastinate, and with it everything asynchronous, stays in
`jobs` and `work`.
"""
