"""A bucket of an S3 object store, or the part of it below a prefix: read, write on a condition, list, delete.

Needs obstore (the extra ``s3``). ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` name another server than Amazon's.
Credentials come from ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``; without them from wherever boto3 finds them:
a profile (``AWS_PROFILE``), single sign-on, a web identity, or the role of a machine or container.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from visionllm_interaction.errors import InputDataError, ServiceError, UsageError
from visionllm_interaction.utils.extras import require_modules
from visionllm_interaction.utils.path_type import StrPath

SCHEME = "s3://"
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?\Z")
_SCHEMES = re.compile(r"[a-z][a-z0-9+]+://")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_CONNECTIONS = 16
"""Objects that are read or written at the same time."""
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
_CREDENTIALS_FIX = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a server of your own AWS_ENDPOINT_URL_S3 too"
)


def is_url(place: StrPath) -> bool:
    """Whether ``place`` is the address of an object store, and no path of this machine.

    Args:
        place: a path or an address.

    Returns:
        True for ``s3://bucket/prefix``.

    Raises:
        UsageError: if it is an address of another kind.
    """
    if not isinstance(place, str) or not _SCHEMES.match(place):
        return False
    if place.startswith(SCHEME):
        return True
    raise UsageError(
        "Object stores of this kind are not read.", expected=f"a folder, or {SCHEME}BUCKET/PREFIX", found=place
    )


class Found(NamedTuple):
    """An object's content, and the tag that changes with it."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class Listed:
    """An object in a list: its key below the prefix, its size in bytes, its tag, and when it was written."""

    key: str
    size: int
    etag: str
    written_at: datetime


class Bucket:
    """The objects below one address; keys are relative to it.

    Objects appear whole or not at all, and whoever reads one after a write sees that write. :meth:`create` and
    :meth:`replace` are conditions that the server checks: of two writers at once, one is told that it was too late.

    Args:
        url: ``s3://bucket/prefix``.

    Raises:
        UsageError: if the address is wrong, obstore is not installed or there are no credentials.
    """

    def __init__(self, url: str) -> None:
        match = _URL.match(url)
        if match is None:
            raise UsageError(
                "The address of an object store cannot be read.",
                expected=f"{SCHEME}BUCKET/PREFIX; a bucket has 3 to 63 small letters, digits, dots and dashes",
                found=url,
            )
        require_modules(("obstore",), extra="s3", command="")
        self.url = url.rstrip("/")
        self._name, self._prefix = match["bucket"], (match["prefix"] or "").strip("/")
        self._objects = _connect(self._name, self._prefix, where=self.url)

    def below(self, folder: str) -> Bucket:
        """The part of the bucket below a folder of it."""
        return Bucket(f"{self.url}/{folder}")

    def read(self, key: str) -> Found | None:
        """An object's content; None if there is no such object."""
        import obstore

        with self._explained():
            try:
                result = obstore.get(self._objects, key)
                return Found(bytes(result.bytes()), str(result.meta["e_tag"]))
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def read_all(self, keys: Sequence[str]) -> list[Found | None]:
        """The contents of many objects, in the order of ``keys``, several at a time."""
        if len(keys) < 2:
            return [self.read(key) for key in keys]
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(self.read, keys))

    def download(self, key: str, file: Path) -> bool:
        """Write an object's content to a new file; False if there is no such object."""
        import obstore

        with self._explained():
            try:
                result = obstore.get(self._objects, key)
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return False
            with file.open("xb") as stream:
                for chunk in result.stream():
                    stream.write(chunk)
        return True

    def write(self, key: str, content: bytes | Path) -> str:
        """Write an object, whatever was there before; returns its tag."""
        import obstore

        with self._explained():
            return str(obstore.put(self._objects, key, content)["e_tag"])

    def write_all(self, contents: Mapping[str, Path]) -> None:
        """Write many objects, several at a time: key → the file with its content."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(self.write, contents.keys(), contents.values()))

    def create(self, key: str, data: bytes) -> str | None:
        """Write an object unless there is one already; returns its tag, None if there is one."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._explained():
            try:
                return str(obstore.put(self._objects, key, data, mode="create")["e_tag"])
            except (AlreadyExistsError, PreconditionError):
                return None

    def replace(self, key: str, data: bytes, *, etag: str) -> str | None:
        """Write an object if it is still the one with this tag; returns its new tag, None if it is not."""
        import obstore
        from obstore.exceptions import PreconditionError

        with self._explained():
            try:
                return str(obstore.put(self._objects, key, data, mode={"e_tag": etag})["e_tag"])
            except (PreconditionError, FileNotFoundError) as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def objects_below(self, folder: str) -> list[Listed]:
        """All objects below a folder, however deep."""
        import obstore

        with self._explained():
            return [_listed(entry) for batch in obstore.list(self._objects, folder) for entry in batch]

    def level(self, folder: str | None = None) -> tuple[list[str], list[Listed]]:
        """What is directly in a folder: names of the folders that have objects below them, and the objects."""
        import obstore

        with self._explained():
            found = obstore.list_with_delimiter(self._objects, folder)
        folders = sorted(path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])
        return folders, [_listed(entry) for entry in found["objects"]]

    def delete(self, keys: Collection[str]) -> None:
        """Delete objects; keys that are not there are no error."""
        import obstore

        if keys:
            with self._explained():
                obstore.delete(self._objects, sorted(keys))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise _explain(error, bucket=self._name, url=self.url) from error


def endpoint_of() -> str | None:
    """The server that the environment names; None: Amazon's."""
    return next((os.environ[variable] for variable in _ENDPOINTS if os.environ.get(variable)), None)


def _listed(entry: Mapping[str, Any]) -> Listed:
    return Listed(entry["path"], entry["size"], str(entry["e_tag"]), entry["last_modified"])


def _connect(name: str, prefix: str, *, where: str) -> Any:
    from obstore.store import S3Store

    endpoint = endpoint_of()
    settings: dict[str, Any] = {"client_options": {"connect_timeout": "5s"}, "retry_config": _RETRIES}
    if endpoint is not None:
        # A server of one's own: plain HTTP only where the address asks for it, and the bucket in the path.
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        settings["client_options"]["allow_http"] = endpoint.startswith("http://")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not (os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")):
        provider = _boto3_credentials(where)
        settings["credential_provider"] = provider
        region = region or provider.config.get("region")
    return S3Store(name, prefix=prefix or None, region=region or "us-east-1", **settings)


def _boto3_credentials(where: str) -> Any:
    # Imported here: it takes longer than an answer, and whoever has set the variables does not need it.
    require_modules(("boto3",), extra="s3", command="")
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except (ValueError, BotoCoreError) as error:
        raise UsageError(
            "There are no credentials for the object store.",
            expected="credentials in the environment, in a profile, or of this machine's role",
            found="none" if isinstance(error, ValueError) else str(error),
            where=where,
            fix=_CREDENTIALS_FIX,
        ) from error


_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_REFUSALS = {"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
_STATUS = re.compile(r"non-2xx status code: (\d{3} [A-Za-z ]+)")


def _explain(error: Exception, *, bucket: str, url: str) -> InputDataError | UsageError | ServiceError:
    """The server's refusal in our words; obstore tells the kinds apart by request, S3 by code."""
    text = str(error)
    code, status = _CODE.search(text), _STATUS.search(text)
    said = code[1] or code[2] if code else status[1].strip() if status else text.splitlines()[0][:300]
    if said == "NoSuchBucket":
        return InputDataError(
            "There is no such bucket.",
            expected="a bucket that exists; buckets are made by whoever runs the object store",
            found=bucket,
            where=url,
            fix="correct the address, or make the bucket; for a server of your own see AWS_ENDPOINT_URL_S3",
        )
    if said in _REFUSALS or (status and status[1].startswith(("401", "403"))):
        return UsageError(
            "The object store refuses these credentials.",
            expected="the right to list, read, write and delete objects there (to read a store: to list and read)",
            found=said,
            where=url,
            fix=_CREDENTIALS_FIX,
        )
    if status and status[1].startswith("501"):
        return ServiceError(
            "The object store lacks something that a store needs.",
            expected="conditional writes (If-Match and If-None-Match), as Amazon S3, MinIO and SeaweedFS have them",
            found=said,
            where=url,
        )
    return ServiceError(
        "The object store does not answer as it should.",
        expected="a server that speaks S3",
        found=said,
        where=endpoint_of() or url,
        fix="see whether it runs and AWS_ENDPOINT_URL_S3 is right, then try again",
    )
