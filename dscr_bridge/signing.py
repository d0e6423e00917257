"""Sign a receipt with a key of the provider's own (Ed25519, RFC 8032), and check that a signed one is as it was made.

The signature covers the canonical JSON of the whole receipt but itself.  It shows who made the receipt and that nobody
has changed it since; that the receiver took the return is shown by the receiver's own reference.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dscr_bridge.errors import ConfigError
from dscr_bridge.returns import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"


def load_key(pem: str) -> "Ed25519PrivateKey":
    """Read a private key from PEM (PKCS #8, without a password).  Raises ConfigError, which quotes nothing of it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            "receipt_key", "it is not an Ed25519 private key without a password, as PEM.", "Nothing was read or sent.",
            "Make one with: openssl genpkey -algorithm ed25519 -out receipt-key.pem",
        ) from None  # fmt: skip
    return key


def signed(document: Mapping[str, Any], key: "Ed25519PrivateKey") -> dict[str, Any]:
    """Give a receipt with its signature, in place of one that it may have."""
    plain = {name: value for name, value in document.items() if name != "signature"}
    made = {"algorithm": ALGORITHM, "public_key": _text(key.public_key().public_bytes_raw()),
            "value": _text(key.sign(canonical(plain)))}  # fmt: skip
    return plain | {"signature": made}


def holds(document: Mapping[str, Any], public_key: str | None = None) -> bool:
    """Say whether a receipt has a signature that holds, and, where one is given, is by that public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    made = document.get("signature")
    if not isinstance(made, Mapping) or made.get("algorithm") != ALGORITHM:
        return False
    plain = {name: value for name, value in document.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(made["public_key"], validate=True))
        key.verify(b64decode(made["value"], validate=True), canonical(plain))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return public_key is None or made["public_key"] == public_key


def public_key_of(key: "Ed25519PrivateKey") -> str:
    """Give the public key as the receipts write it: 32 bytes in base64."""
    return _text(key.public_key().public_bytes_raw())


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
