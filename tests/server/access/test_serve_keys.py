from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from visionllm_interaction.errors import ConfigError, UsageError
from visionllm_interaction.server.auth.api_keys import KeyRing, create_key, expiry_of, list_keys, revoke_key
from visionllm_interaction.server.auth.sessions import LIFETIME_S, Sessions


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys.yaml"


def test_a_key_opens_and_its_text_is_nowhere_in_the_file(keys_file: Path) -> None:
    key = create_key(keys_file, name="lab", role="admin")
    assert len(key) >= 40
    assert key not in keys_file.read_text()
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    found = KeyRing(keys_file).find(key)
    assert found is not None
    assert found.name == "lab"


@pytest.mark.parametrize("wrong", ["", "vli_", "lab", "é\ud800", "x" * 10_000])
def test_anything_else_does_not_open(keys_file: Path, wrong: str) -> None:
    key = create_key(keys_file, name="lab", role="admin")
    ring = KeyRing(keys_file)
    assert ring.find(wrong) is None
    assert ring.find(key[:-1]) is None
    assert ring.find(key + " ") is None


def test_revoking_closes_a_running_ring_at_once(keys_file: Path) -> None:
    one, two = create_key(keys_file, name="one", role="admin"), create_key(keys_file, name="two", role="admin")
    ring = KeyRing(keys_file)
    assert ring.find(one)
    revoke_key(keys_file, name="one")
    assert ring.find(one) is None
    assert ring.find(two)
    assert [entry.name for entry in list_keys(keys_file)] == ["two"]


def test_names_are_unique_and_plain(keys_file: Path) -> None:
    create_key(keys_file, name="lab", role="admin")
    with pytest.raises(UsageError, match="exists"):
        create_key(keys_file, name="lab", role="admin")
    with pytest.raises(UsageError, match="not usable"):
        create_key(keys_file, name="../x\n", role="admin")
    with pytest.raises(UsageError, match="no such key"):
        revoke_key(keys_file, name="other")


@pytest.mark.parametrize("content", ["keys: 5", "[]", "keys: [{id: a}]", "{", "null"])
def test_a_damaged_file_is_refused_not_taken_as_empty(keys_file: Path, content: str) -> None:
    keys_file.parent.mkdir()
    keys_file.write_text(content)
    with pytest.raises(ConfigError, match="API keys"):
        list_keys(keys_file)


def test_no_file_is_no_keys(keys_file: Path) -> None:
    assert list_keys(keys_file) == []
    assert KeyRing(keys_file).find("vli_x") is None


def test_a_session_ends_with_time_tampering_or_its_key(
    keys_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(keys_file, name="lab", role="admin")
    create_key(keys_file, name="other", role="admin")
    ring = KeyRing(keys_file)
    sessions = Sessions(tmp_path / "secret", ring)
    lab, other = (entry.id for entry in ring.entries)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    cookie = sessions.open(lab)
    for later_s, valid in ((0, True), (LIFETIME_S - 1, True), (LIFETIME_S + 1, False), (-60, False)):
        monkeypatch.setattr(time, "time", lambda at=1e9 + later_s: at)
        assert sessions.valid(cookie) is valid, later_s
    monkeypatch.setattr(time, "time", lambda: 1e9 + 1)
    key_id, made, signature = cookie.split(".")
    newer = sessions.open(lab).split(".")[1]
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    forged = (f"{key_id}.{made}.{flipped}", f"{key_id}.{newer}.{signature}", f"{other}.{made}.{signature}")
    for bad in (*forged, "", ".", "..", "é", "\udc80", f"{key_id}.{made}", f"{key_id}.{signature}"):
        assert not sessions.valid(bad), bad
    assert Sessions(tmp_path / "secret", ring).valid(cookie), "a restart keeps sessions"
    assert not Sessions(tmp_path / "second", ring).valid(cookie)
    revoke_key(keys_file, name="lab")
    assert not sessions.valid(cookie)


def test_the_secret_of_sessions_is_whole_and_private(keys_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.secret"
    for left in (None, b"", b"cut short"):  # an empty secret would let anybody sign
        if left is not None:
            path.write_bytes(left)
        Sessions(path, KeyRing(keys_file))
        assert len(path.read_bytes()) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    Sessions(path, KeyRing(keys_file))
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["session.secret"]


def test_a_key_of_an_older_file_has_the_rights_that_it_had(keys_file: Path) -> None:
    key = create_key(keys_file, name="lab", role="admin")
    lines = keys_file.read_text().splitlines(keepends=True)
    new = ("role:", "projects:", "expires_at:")
    keys_file.write_text("".join(line for line in lines if not line.strip().startswith(new)))
    assert not any(name in keys_file.read_text() for name in new)
    found = KeyRing(keys_file).find(key)
    assert found is not None
    who = found.principal()
    assert (who.role, who.projects, found.has_expired) == ("admin", None, False)
    assert who.has_role("viewer") and who.has_role("admin") and who.sees(None)


def test_an_expired_key_opens_nothing_and_ends_its_sessions(
    keys_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    key = create_key(keys_file, name="guest", role="viewer", expires_at=until)
    ring = KeyRing(keys_file)
    sessions = Sessions(tmp_path / "secret", ring)
    cookie = sessions.open(ring.entries[0].id)
    assert ring.find(key) and sessions.valid(cookie)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return until

    monkeypatch.setattr("visionllm_interaction.server.auth.api_keys.datetime", Later)
    assert ring.find(key) is None and not sessions.valid(cookie)


NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", NOW + timedelta(hours=12)),
        ("90d", NOW + timedelta(days=90)),
        ("2w", NOW + timedelta(weeks=2)),
        ("2026-06-30", datetime(2026, 6, 30, tzinfo=UTC)),
        ("2026-06-30T12:00+02:00", datetime(2026, 6, 30, 10, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_length_of_time_or_a_date(text: str, expected: datetime) -> None:
    assert expiry_of(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "90", "90 days", "0d", "2026-04-30", "-1d", "99999w9", "tomorrow"])
def test_an_expiry_that_is_none_or_past_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expiry_of(text, now=NOW)


def test_a_key_is_made_for_a_role_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from visionllm_interaction.cli.application import app
    from visionllm_interaction.cli.output import run_app

    options = ["keys", "create", "lab", "-o", f"serve.data_dir={tmp_path}"]
    assert run_app(app, options) == 2
    told = capsys.readouterr().err
    assert "viewer" in told and "--role" in told
    assert not (tmp_path / "keys.yaml").exists()
    assert run_app(app, [*options, "--role", "viewer"]) == 0
    assert [entry.role for entry in list_keys(tmp_path / "keys.yaml")] == ["viewer"]
