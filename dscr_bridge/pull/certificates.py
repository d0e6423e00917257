"""Whom a connection trusts, and the certificate by which a server knows us; its end is watched.

A private key is never written in the clear: a PKCS#12 file is opened in memory, and Python's TLS takes keys from files
only, so for a moment the key is in a file of this account's alone, encrypted under random words that nobody keeps.
"""

import os
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dscr_bridge import log
from dscr_bridge.config import Certificate, Source
from dscr_bridge.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509

events = log.room("pull")

SOON_DAYS = 30  # before its end a certificate is spoken of
_PKCS12 = (".p12", ".pfx")
_NOTHING = "Nothing was read or sent."


@dataclass(frozen=True)
class Ends:
    """When a client certificate ends."""

    at: datetime
    days_left: int

    @property
    def soon(self) -> bool:
        """Say whether a person should see to it now."""
        return self.days_left < SOON_DAYS


def trust(source: Source, now: datetime) -> ssl.SSLContext:
    """Make the trust of a connection: the machine's authorities or a private one, and our certificate if there is one.

    Raises ConfigError where a file cannot be used or our certificate has ended.
    """
    context = authorities(source.ca_file)
    if source.certificate is not None:
        ends = certificate_ends(source.certificate, now)
        if ends.days_left < 0:
            raise _unusable(source.certificate, f"ended on {ends.at:%d %B %Y}", "Ask the supplier for a new one.")
        if ends.soon:
            events.warning("certificate_ends_soon", source=source.name, at=ends.at.date().isoformat())
        _load(context, source.certificate)
    return context


def certificate_ends(said: Certificate, now: datetime) -> Ends:
    """Say when a client certificate ends.  Raises ConfigError where it cannot be read."""
    certificate = _opened(said)[0]
    at = certificate.not_valid_after_utc
    return Ends(at, (at - now).days)


def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the machine's authorities, or a private one.  Raises ConfigError."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError):
        raise ConfigError("ca_file", f"the certificate file {ca_file} cannot be read as PEM certificates.", _NOTHING,
                          "Give the file of the authority that signed the server's certificate, in PEM form.") from None


def _load(context: ssl.SSLContext, said: Certificate) -> None:
    certificate, chain, key = _opened(said)
    from cryptography.hazmat.primitives import serialization

    words = secrets.token_hex(32).encode()
    encrypted = serialization.BestAvailableEncryption(words)
    parts = [key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted)]
    parts += [one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *chain)]
    handle, path = tempfile.mkstemp()  # readable by this account alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"".join(parts))
        context.load_cert_chain(path, password=words)
    except (OSError, ssl.SSLError):
        raise _unusable(said, "does not belong to its private key", "Export both again from one place.") from None
    finally:
        Path(path).unlink()


def _opened(said: Certificate) -> "tuple[x509.Certificate, list[x509.Certificate], Any]":
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    password = said.password.secret_value().encode() if said.password is not None else None
    key_file = said.key_file or said.file
    _refuse_open_to_others(said.file if said.file.suffix.lower() in _PKCS12 else key_file)
    key: Any
    try:
        content = said.file.read_bytes()
        if said.file.suffix.lower() in _PKCS12:
            key, certificate, chain = pkcs12.load_key_and_certificates(content, password)
        else:
            certificate, *chain = x509.load_pem_x509_certificates(content)
            key = serialization.load_pem_private_key(key_file.read_bytes(), password)
    except (OSError, ValueError, TypeError):  # TypeError: a password where none is needed, or the other way round
        raise _unusable(said, "cannot be read with its private key and password",
                        "Give a PEM certificate with key_file, or a .p12 file, and the right password.") from None
    if key is None or certificate is None:
        raise _unusable(said, "holds no certificate with a private key", "Export both together.")
    return certificate, list(chain), key


def _refuse_open_to_others(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # told by whoever reads it
    if os.name == "posix" and mode & 0o027:
        raise ConfigError("Certificate", f"the private key in {path} can be read or changed by other accounts.",
                          _NOTHING, f"Run: chmod 600 {path}")


def _unusable(said: Certificate, what: str, do: str) -> ConfigError:
    return ConfigError("Certificate", f"the client certificate {said.file} {what}.", _NOTHING, do)
