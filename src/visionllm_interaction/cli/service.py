"""Commands of the service: serve, keys, audit-log."""

# Packages are imported inside the commands, so that the other commands start without the service's libraries.

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.server.auth.api_keys import KeyEntry

keys = typer.Typer(help="API keys of the service.", no_args_is_help=True, rich_markup_mode=None)


def serve(
    config: ConfigFiles = None,
    override: Overrides = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Start without API keys (loopback only).")] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Start the HTTP service and its web page; stop it with Ctrl-C."""
    gc.disable()  # importing makes many objects and no garbage: a tenth of the start would go into looking for some
    from visionllm_interaction.config import load
    from visionllm_interaction.server.run import serve as start_service

    settings = load(config, [*(override or []), *(["serve.insecure=true"] if insecure else [])])
    gc.freeze()
    gc.enable()
    start_service(
        settings.serve,
        analysis=settings.analysis,
        reason=settings.reason,
        measures=settings.measures,
        promote=settings.promote,
    )
    return CommandResult({"status": "stopped"}, "stopped", json_output)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The person or program that uses the key.")],
    role: Annotated[
        Literal["viewer", "analyst", "admin"] | None,
        typer.Option(help="viewer: look, ask, export; analyst: also upload and erase; admin: also the audit log."),
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="Only videos of this project; may be repeated. Default: all projects.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="A length of time (12h, 90d, 2w) or a date (2027-06-30). Default: never.")
    ] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Make a key. It is shown once; only its digest is kept."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import create_key, expiry_of

    if role is None:
        raise UsageError(
            "Say what the key may do.",
            expected="--role viewer (look, ask, export), analyst (also upload, erase) or admin (also the audit log)",
            found="no role",
            fix=f"visionllm keys create {name} --role analyst",
        )
    keys_file = load(config, override).serve.keys_path
    until = None if expires is None else expiry_of(expires)
    key = create_key(keys_file, name=name, role=role, projects=project, expires_at=until)
    document = {
        "name": name,
        "role": role,
        "projects": project or None,
        "expires_at": until.isoformat() if until else None,
        "key": key,
        "keys_file": str(keys_file),
    }
    return CommandResult(document, key, json_output)


@keys.command("list")
def list_command(
    config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False
) -> CommandResult:
    """List the keys: id, day of creation, role, projects, expiry, name."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import list_keys

    found = list_keys(load(config, override).serve.keys_path)
    shown = [
        {
            "id": key.id,
            "name": key.name,
            "created_at": key.created_at,
            "role": key.role,
            "projects": list(key.projects) if key.projects is not None else None,
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
            "expired": key.has_expired,
        }
        for key in found
    ]
    text = as_lines(_key_line(key) for key in found)
    return CommandResult({"keys": shown}, text or "no keys", json_output)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument()],
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Revoke a key."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import revoke_key

    revoke_key(load(config, override).serve.keys_path, name=name)
    return CommandResult({"revoked": name}, f"revoked {name}", json_output)


def _key_line(key: KeyEntry) -> str:
    projects = ",".join(key.projects) if key.projects is not None else "all projects"
    until = (
        "never expires"
        if key.expires_at is None
        else f"{'expired' if key.has_expired else 'until'} {key.expires_at:%F}"
    )
    return f"{key.id}  {key.created_at[:10]}  {key.role:<7}  {projects}  {until}  {key.name}"


def audit_log(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Number of rows, newest first.")] = 50,
    verify: Annotated[bool, typer.Option("--verify", help="Only check that no row was changed or removed.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Show who saw, uploaded, exported, erased or changed what in the service."""
    from visionllm_interaction.config import load
    from visionllm_interaction.errors import InputDataError
    from visionllm_interaction.server.auth.audit_log import AuditLog

    serve = load(config, override).serve
    log = AuditLog(serve.audit_dir, writer=serve.executor_id)
    faults, rows = log.verify(), log.rows()
    if faults:
        raise InputDataError(
            "The audit log was changed.",
            expected="rows whose digests follow one another",
            found="; ".join(faults),
            where=str(serve.audit_dir),
            fix="compare it with a backup",
        )
    names = log.names()
    shown = [{**row.model_dump(), "video_id": names.get(row.subject or "")} for row in rows[: 0 if verify else lines]]
    whole = f"{len(rows)} rows, none changed or removed"
    text = [f"{r['at'][:19]}  {r['who']:<12}  {r['action']:<8}  {r['video_id'] or r['subject'] or ''}" for r in shown]
    return CommandResult({"rows": shown, "checked": len(rows)}, as_lines([*text, whole]), json_output)
