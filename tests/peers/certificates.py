"""Throw-away authorities, certificates and keys for tests; made anew each time, written nowhere but into a test's folder."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSWORD = "t3st-pass word"


@dataclass(frozen=True)
class Authority:
    """Somebody who signs."""

    key: Any
    certificate: x509.Certificate


def authority(name: str) -> Authority:
    """Make an authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, _signed(key, _name(name), _name(name), key, 30, [
        (x509.BasicConstraints(ca=True, path_length=None), True), (_usage(sign=True), True)]))  # fmt: skip


def certificate(folder: Path, name: str, by: Authority, *, server: str = "", days: int = 30) -> None:
    """Write NAME.crt, NAME.key and NAME.p12 (with PASSWORD), signed by an authority; `days` below nothing: it has ended."""
    key = rsa.generate_private_key(65537, 2048)
    use = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    extensions: list[tuple[Any, bool]] = [(x509.ExtendedKeyUsage([use]), False)]
    if server:
        names: list[x509.GeneralName] = [x509.DNSName(server)]
        names += [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if server == "localhost" else []
        extensions.append((x509.SubjectAlternativeName(names), False))
    subject = _name(server or "client-1", "" if server else "dscr-bridge")
    made = _signed(by.key, subject, by.certificate.subject, key, days, extensions)
    _write(folder / f"{name}.crt", made.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{name}.key", pem(key))
    _write(folder / f"{name}.p12", pkcs12.serialize_key_and_certificates(
        name.encode(), key, made, [by.certificate], serialization.BestAvailableEncryption(PASSWORD.encode())))  # fmt: skip


def pem(key: Any) -> bytes:
    """Write a private key as PEM."""
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def _signed(signer: Any, subject: x509.Name, issuer: x509.Name, key: Any, days: int,
            extensions: list[tuple[Any, bool]]) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(),
                                      now - timedelta(days=60), now + timedelta(days=days))  # fmt: skip
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _name(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, sign, sign, False, False)
