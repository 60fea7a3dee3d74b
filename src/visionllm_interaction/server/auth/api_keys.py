"""API keys: 256-bit random tokens of which only the SHA-256 digest is kept.

Tokens of full entropy cannot be guessed, so a fast hash is enough and attempts need no limit. A key has a role, may be
limited to projects, and may expire. A key of a file without these entries has the rights that it always had: all.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import ConfigError, UsageError
from visionllm_interaction.server.auth.roles import PROJECT_NAME, Principal, Role
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import HeldLock, wait_for_lock_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.strict_yaml import load_yaml

PREFIX = "vli_"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,63}$")
_SPAN = re.compile(r"^(\d{1,5})([hdw])$")
_SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class KeyEntry(BaseModel):
    """The record of one key; the key itself is never stored.

    Attributes:
        id: names the key in sessions and in the audit log.
        name: the person or program that uses it.
        sha256: hex digest of the key.
        created_at: UTC.
        role: what the key may do.
        projects: the only projects whose videos it sees; None: all.
        expires_at: when it stops opening anything, ISO 8601, UTC; None: never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    sha256: str
    created_at: str
    role: Role = "admin"
    projects: tuple[str, ...] | None = None
    expires_at: datetime | None = None

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and datetime.now(UTC) >= self.expires_at

    def principal(self) -> Principal:
        """Who asks with this key."""
        projects = None if self.projects is None else frozenset(self.projects)
        return Principal(key_id=self.id, name=self.name, role=self.role, projects=projects)


def create_key(
    keys_file: StrPath,
    *,
    name: str,
    role: Role,
    projects: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Create a key and add its digest to the file of keys.

    Args:
        keys_file: the file of keys, created if needed.
        name: name of the key: 1 to 64 letters, digits, spaces, ``.``, ``_`` or ``-``.
        role: what the key may do.
        projects: the only projects whose videos it sees; None: all.
        expires_at: when it stops opening anything, with a time zone; None: never.

    Returns:
        The key. It cannot be shown again.

    Raises:
        UsageError: if the name is taken or malformed, or a project's name is malformed.
        ConfigError: if the file exists but is not a file of keys.
    """
    keys_file = Path(keys_file)
    if not _NAME.match(name):
        raise UsageError("The name of the key is not usable.", expected="1–64 letters, digits, space . _ -", found=name)
    for project in projects or ():
        check_project(project)
    token = PREFIX + secrets.token_urlsafe(32)
    with _locked(keys_file):
        entries = list_keys(keys_file)
        if any(entry.name == name for entry in entries):
            raise UsageError(
                "A key of this name exists.", found=name, where=str(keys_file), fix="choose another name, or revoke it"
            )
        entry = KeyEntry(
            id=secrets.token_hex(4),
            name=name,
            sha256=_digest(token),
            created_at=utc_now(),
            role=role,
            projects=tuple(sorted(set(projects))) if projects else None,
            expires_at=expires_at,
        )
        _save(keys_file, [*entries, entry])
    return token


def check_project(name: str) -> str:
    """Check the name of a project.

    Args:
        name: 1 to 64 letters, digits, ``.``, ``_`` or ``-``, beginning with a letter or digit.

    Returns:
        The name.

    Raises:
        UsageError: if it is no such name.
    """
    if PROJECT_NAME.match(name):
        return name
    raise UsageError("The name of the project is not usable.", expected="1–64 letters, digits, . _ -", found=name[:100])


def expiry_of(text: str, *, now: datetime | None = None) -> datetime:
    """When a key expires, from a length of time or a date.

    Args:
        text: ``90d``, ``12h``, ``2w``, or a date or time in ISO 8601 (a date counts from its begin, UTC).
        now: the present time; None: the clock's.

    Returns:
        The time, UTC.

    Raises:
        UsageError: if it is neither, or in the past.
    """
    now = now or datetime.now(UTC)
    span = _SPAN.match(text.strip())
    try:
        found = now + int(span[1]) * _SPANS[span[2]] if span else datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        expected = "a length of time such as 12h, 90d or 2w, or a date such as 2027-06-30"
        raise UsageError("The expiry cannot be read.", expected=expected, found=text[:100]) from error
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if found <= now:
        raise UsageError("The key would have expired already.", expected="a time to come", found=text[:100])
    return found.replace(microsecond=0)


def list_keys(keys_file: StrPath) -> list[KeyEntry]:
    """Read the records of all keys.

    Args:
        keys_file: the file of keys.

    Returns:
        The records, oldest first; none if there is no file.

    Raises:
        ConfigError: if the file is not a file of keys.
    """
    keys_file = Path(keys_file)
    try:
        content: Any = load_yaml(keys_file.read_text(encoding="utf-8"))
        return [KeyEntry.model_validate(entry) for entry in content["keys"]]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, TypeError, KeyError) as error:
        raise ConfigError(
            "The file of API keys cannot be used.",
            expected="a file made by `visionllm keys create`",
            found=" ".join(str(error).split())[:300],
            where=str(keys_file),
            fix="restore it, or delete it and create new keys",
        ) from error


def revoke_key(keys_file: StrPath, *, name: str) -> KeyEntry:
    """Remove a key; a running service rejects it from then on.

    Args:
        keys_file: the file of keys.
        name: name or id of the key.

    Returns:
        The record that was removed.

    Raises:
        UsageError: if there is no such key.
    """
    keys_file = Path(keys_file)
    with _locked(keys_file):
        entries = list_keys(keys_file)
        gone = next((e for e in entries if name in (e.name, e.id)), None)
        if gone is None:
            known = ", ".join(e.name for e in entries) or "no keys"
            raise UsageError("There is no such key.", expected=known, found=name, where=str(keys_file))
        _save(keys_file, [e for e in entries if e is not gone])
    return gone


class KeyRing:
    """The keys of a running service; read again whenever the file changes.

    A file that is damaged while the service runs lets nobody in, and says so in the log.
    """

    def __init__(self, keys_file: Path) -> None:
        self._file = keys_file
        self._file_signature: tuple[int, int, int] | None = None
        self._entries: tuple[KeyEntry, ...] = ()

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """The keys now in the file."""
        try:
            stat = self._file.stat()
            signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except FileNotFoundError:
            return ()
        if signature != self._file_signature:
            self._entries, self._file_signature = self._read(), signature
        return self._entries

    def _read(self) -> tuple[KeyEntry, ...]:
        try:
            return tuple(list_keys(self._file))
        except ConfigError as error:
            if self._file_signature is None:
                raise  # at the start: the command ends with the message
            log.error("the file of keys is damaged: nobody is let in until it is mended", error=str(error))
            return ()

    def find(self, token: str) -> KeyEntry | None:
        """The record of a key that is valid, or ``None``. Every record is compared, each in constant time."""
        presented = _digest(token)
        found = [entry for entry in self.entries if hmac.compare_digest(entry.sha256, presented)]
        return found[0] if found and not found[0].has_expired else None

    def with_id(self, key_id: str) -> KeyEntry | None:
        """The record of the key with this id, if it is still valid."""
        return next((entry for entry in self.entries if entry.id == key_id and not entry.has_expired), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _save(keys_file: Path, entries: list[KeyEntry]) -> None:
    content = {"keys": [entry.model_dump(mode="json") for entry in entries]}
    write_file(keys_file, yaml.safe_dump(content, sort_keys=False).encode(), mode=0o600)


def _locked(keys_file: Path) -> HeldLock:
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    return wait_for_lock_file(keys_file.with_name(f".{keys_file.name}.lock"))
