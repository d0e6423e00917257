"""Errors, grouped by what the person who runs the bridge should do; each class is one exit code.

Every message has four parts in this order: where, what, what happens now, what you can do.  No part may hold
anything that came from a care record, a secret or the query of a URL: the parts are written by this project.

    BridgeError
    ├── ConfigError (10)            mend the configuration
    ├── DefinitionError (11)        mend a mapping, code list or connector file
    ├── SourceUnavailable (20)      temporary: a source did not answer; a running bridge tries again by itself
    ├── SourceRefused (21)          a source answered no: ask the supplier
    ├── RecordsUnreadable (22)      a source answered with something that cannot be read as records
    ├── IdentifierFound (23)        something that could name a person was about to leave: nothing left
    ├── ReturnHeld (30)             the figures need a person before they may be sent
    ├── ReceiverUnavailable (40)    temporary: surely nothing was sent; a running bridge tries again by itself
    ├── SubmissionUnknown (41)      temporary: nobody knows whether it arrived; the bridge asks before it sends again
    ├── SubmissionRefused (42)      the receiver refused the return: a person must act
    ├── WindowClosed (43)           the reporting window is not open
    ├── AlreadyAccepted (44)        there is nothing left to send for this window
    └── LedgerBroken (50)           the ledger cannot be trusted or written: nothing is sent until it is
"""

from typing import ClassVar


class BridgeError(Exception):
    """An expected failure that a person can act on."""

    exit_code: ClassVar[int] = 1
    temporary: ClassVar[bool] = False

    def __init__(self, where: str, what: str, now: str, do: str) -> None:
        """Make an error from its four parts: where, what, what happens now, what to do."""
        super().__init__(where, what, now, do)
        self.where, self.what, self.now, self.do = where, what, now, do

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n{self.now} {self.do}"


class ConfigError(BridgeError):
    """The configuration cannot be used."""

    exit_code = 10


class DefinitionError(BridgeError):
    """A mapping, code list or connector file cannot be used."""

    exit_code = 11


class SourceUnavailable(BridgeError):
    """A source did not answer, or asked us to come back later."""

    exit_code = 20
    temporary = True


class SourceRefused(BridgeError):
    """A source answered, and the answer was no."""

    exit_code = 21


class RecordsUnreadable(BridgeError):
    """A source answered with something that cannot be read as records."""

    exit_code = 22


class IdentifierFound(BridgeError):
    """Something that could name a person was about to leave the bridge."""

    exit_code = 23


class ReturnHeld(BridgeError):
    """The figures need a person before they may be sent."""

    exit_code = 30


class ReceiverUnavailable(BridgeError):
    """The receiver could not be reached; surely nothing was sent."""

    exit_code = 40
    temporary = True


class SubmissionUnknown(BridgeError):
    """The receiver may or may not have taken the return; ask before sending again."""

    exit_code = 41
    temporary = True


class SubmissionRefused(BridgeError):
    """The receiver refused the return."""

    exit_code = 42


class WindowClosed(BridgeError):
    """The reporting window is not open."""

    exit_code = 43


class AlreadyAccepted(BridgeError):
    """There is nothing left to send for this window."""

    exit_code = 44


class LedgerBroken(BridgeError):
    """The ledger cannot be trusted or written."""

    exit_code = 50
