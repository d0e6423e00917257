"""A folder on an SFTP server.  The server is known by the key in the configuration; one that shows another is refused.

Nothing is written there, and nothing is copied to this machine's disk.
"""

import base64
import io
import logging
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dscr_bridge.config import Sftp, Source
from dscr_bridge.errors import ConfigError, SourceRefused, SourceUnavailable
from dscr_bridge.pull.folder import Found
from dscr_bridge.pull.pace import refuse_in_quiet_hours
from dscr_bridge.world import World

if TYPE_CHECKING:
    import paramiko

_NOT_PREPARED = "The return was not prepared."


@contextmanager
def remote(source: Source, sftp: Sftp, world: World) -> Iterator["_Remote"]:
    """Open the folder; closes the connection at the end.

    Raises SourceUnavailable where the server does not answer, SourceRefused where it is not the one that is configured
    or does not let us in, ConfigError where the key cannot be read or the library is not installed.
    """
    try:
        import paramiko
    except ImportError:
        raise ConfigError(f'Source "{source.name}"', "files on an SFTP server cannot be read: the library is not "
                          "installed.", "Nothing was read or sent.", "Install dscr-bridge[sftp].") from None
    refuse_in_quiet_hours(source, world)
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it logs names of files and the words of servers
    known, proof = _host_key(source, sftp), _proof(source, sftp)
    where, transport = f'Source "{source.name}"', None
    try:
        line = socket.create_connection((sftp.host, sftp.port), source.limits.timeout_seconds)
        transport = paramiko.Transport(line)
        transport.banner_timeout = transport.auth_timeout = source.limits.timeout_seconds
        transport.connect(hostkey=known, username=sftp.username, **proof)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise paramiko.SSHException
        cast(Any, client.get_channel()).settimeout(source.limits.timeout_seconds)
        yield _Remote(client, sftp.folder.rstrip("/") or "/", source.name)
    except paramiko.BadHostKeyException:
        raise _another_server(where) from None
    except paramiko.AuthenticationException:
        raise SourceRefused(where, "the SFTP server refused our login.",
                            f"{_NOT_PREPARED} We will not try again by ourselves.",
                            "Ask the supplier to check the account and its key or password.") from None
    except (paramiko.SSHException, EOFError, OSError) as fault:
        if "host key" in str(fault).lower():  # how the library says that another key was shown
            raise _another_server(where) from None
        raise SourceUnavailable(where, "the SFTP server does not answer.",
                                f"{_NOT_PREPARED} A running bridge tries again by itself.",
                                "If this lasts, check sftp.host and the network, then ask the supplier.") from None
    finally:
        if transport is not None:
            transport.close()


class _Remote:
    """An open folder on an SFTP server."""

    def __init__(self, client: "paramiko.SFTPClient", folder: str, source: str) -> None:
        self._client, self._folder, self._source = client, folder, source

    def listed(self) -> list[Found]:
        """List the folder."""
        try:
            inside = self._client.listdir_attr(self._folder)
        except PermissionError:
            raise self._refused("the account may not list the folder on the SFTP server.") from None
        except FileNotFoundError:
            raise SourceUnavailable(f'Source "{self._source}"', "the folder is not there.",
                                    "A running bridge tries again by itself.", "Check sftp.folder.") from None
        return [Found(Path(one.filename), one.st_size or 0, (one.st_mtime or 0) * 10**9, stat.S_ISREG(one.st_mode or 0))
                for one in inside if not one.filename.startswith(".") and "/" not in one.filename]

    def opened(self, found: Found) -> IO[bytes]:
        """Open a file; it is fetched as it is read."""
        file = self._client.open(self._at(found), "rb")
        file.prefetch(found.size)
        return cast(IO[bytes], file)

    def now(self, found: Found) -> tuple[int, int]:
        """Look again."""
        status = self._client.lstat(self._at(found))
        return status.st_size or 0, (status.st_mtime or 0) * 10**9

    def put_aside(self, found: Found) -> None:
        """Leave it: nothing is written there."""

    def _at(self, found: Found) -> str:
        return f"{self._folder}/{found.path.name}"

    def _refused(self, what: str) -> SourceRefused:
        return SourceRefused(f'Source "{self._source}"', what, _NOT_PREPARED, "Ask the supplier to allow it.")


def _host_key(source: Source, sftp: Sftp) -> "paramiko.PKey":
    import paramiko

    kind, _, written = sftp.host_key.partition(" ")
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(written, validate=True))
    except Exception:  # noqa: BLE001  (each kind of key fails in its own way)
        raise ConfigError(f'Source "{source.name}", sftp, host_key', "is not a key as known_hosts has it.",
                          "Nothing was read or sent.", "Ask the supplier for the server's key, for example "
                          "ssh-ed25519 AAAA...") from None


def _proof(source: Source, sftp: Sftp) -> dict[str, Any]:
    import paramiko

    if sftp.password is not None:
        return {"password": sftp.password.secret_value()}
    assert sftp.key is not None  # noqa: S101  (the configuration's own check)
    written = sftp.key.secret_value() + "\n"
    kinds: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
    for kind in kinds:
        try:
            return {"pkey": kind.from_private_key(io.StringIO(written))}
        except Exception:  # noqa: BLE001, S112  (the next kind)
            continue
    raise ConfigError(f'Source "{source.name}", sftp, key', "is not a private key that can be used without a pass "
                      "phrase.", "Nothing was read or sent.", "Make one with: ssh-keygen -t ed25519 -N ''")


def _another_server(where: str) -> SourceRefused:
    return SourceRefused(where, "the SFTP server shows another key than the one in the configuration.",
                         f"{_NOT_PREPARED} We never log in to a server that we do not know.",
                         "Ask the supplier whether its key was changed; then put the new one into sftp.host_key.")
