"""The local pages and the small local API: what the people who answer for the returns see and do.

WSGI only, no script needed for any act, nothing fetched from elsewhere.  Importing this imports Flask, which is slow:
it happens inside the commands that serve.
"""
