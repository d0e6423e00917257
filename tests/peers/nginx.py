"""nginx (Debian) as what stands in front of a care record: client certificates, API keys, patience, other answers."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "test-key"


@dataclass(frozen=True)
class Gates:
    """The ports of the gates."""

    certificate: int
    api_key: int
    busy: int
    down: int
    elsewhere: int
    login_page: int
    wrong_name: int


def free_ports(how_many: int) -> list[int]:
    """Give ports of 127.0.0.1 that nobody has."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(how_many)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def installed() -> str:
    """Give the program.  Raises OSError where there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise OSError("there is no nginx")
    return found


@contextmanager
def running(program: str, folder: Path, certificates: Path, upstream: int, gates: Gates) -> Iterator[None]:
    """Run the gates in front of a server on a port of this machine; stops it at the end."""
    (folder / "nginx.conf").write_text(_settings(folder, certificates, upstream, gates))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors")])
    try:
        _wait_for(gates.wrong_name, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _settings(folder: Path, tls: Path, upstream: int, gates: Gates) -> str:
    kept = "".join(f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    secured = "ssl; ssl_certificate {0}/{1}.crt; ssl_certificate_key {0}/{1}.key"
    server, wrong = secured.format(tls, "server"), secured.format(tls, "wrong-name")
    onward = f"proxy_pass http://127.0.0.1:{upstream};"
    return f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
  access_log off; {kept} client_max_body_size 64m; proxy_http_version 1.1; proxy_set_header Host $http_host;
  map $http_x_api_key $key_ok {{ default 0; "{KEY}" 1; }}
  limit_req_zone $binary_remote_addr zone=r:1m rate=20r/s; limit_req_status 429;
  split_clients "${{request_id}}" $flaky {{ 33% 1; * 0; }}
  server {{ listen 127.0.0.1:{gates.certificate} {server}; ssl_client_certificate {tls}/ca.crt; ssl_verify_client on;
           location / {{ {onward} }} }}
  server {{ listen 127.0.0.1:{gates.api_key}; location / {{ if ($key_ok = 0) {{ return 401; }} {onward} }} }}
  server {{ listen 127.0.0.1:{gates.busy}; error_page 429 = @slow; location / {{ limit_req zone=r burst=2 nodelay; {onward} }}
           location @slow {{ add_header Retry-After 1 always; return 429; }} }}
  server {{ listen 127.0.0.1:{gates.down}; location / {{ if ($flaky) {{ return 503; }} error_page 503 = @down; {onward} }}
           location @down {{ add_header Retry-After 0 always; return 503; }} }}
  server {{ listen 127.0.0.1:{gates.elsewhere}; location / {{ return 302 http://127.0.0.1:{gates.api_key}$request_uri; }} }}
  server {{ listen 127.0.0.1:{gates.login_page}; location / {{ default_type text/html; return 200 '<html>Sign in</html>'; }} }}
  server {{ listen 127.0.0.1:{gates.wrong_name} {wrong}; location / {{ {onward} }} }}
}}
"""


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("nginx does not answer")
