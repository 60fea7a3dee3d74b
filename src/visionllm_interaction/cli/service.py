"""Commands that serve, check and demonstrate: serve, keys, doctor, demo."""

# Rooms are imported inside the commands, so that the other commands start without the service's libraries.

from __future__ import annotations

from typing import Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import ConfigFiles, JsonFlag, Outcome, Overrides

keys = typer.Typer(help="API keys of the service.", no_args_is_help=True, rich_markup_mode=None)


def serve(
    config: ConfigFiles = None,
    override: Overrides = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Start without API keys (loopback only).")] = False,
    json_output: JsonFlag = False,
) -> Outcome:
    """The HTTP service and its page; stop it with Ctrl-C."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.run import serve as start_service

    settings = load(config, [*(override or []), *(["serve.insecure=true"] if insecure else [])])
    start_service(settings.serve, analysis=settings.analysis, reason=settings.reason, measures=settings.measures)
    return Outcome({"status": "stopped"}, "stopped", json_output)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whom or what the key is for.")],
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """Make a key; it is shown once and only its digest is kept."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import create_key

    keys_file = load(config, override).serve.keys_path
    key = create_key(keys_file, name=name)
    return Outcome({"name": name, "key": key, "keys_file": str(keys_file)}, key, json_output)


@keys.command("list")
def list_command(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """The names of the keys."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import list_keys

    found = list_keys(load(config, override).serve.keys_path)
    shown = [{"id": key.id, "name": key.name, "created_at": key.created_at} for key in found]
    text = as_lines(f"{key['id']}  {key['created_at'][:10]}  {key['name']}" for key in shown)
    return Outcome({"keys": shown}, text or "no keys", json_output)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument()],
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """Take a key back."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import revoke_key

    revoke_key(load(config, override).serve.keys_path, name=name)
    return Outcome({"revoked": name}, f"revoked {name}", json_output)


def doctor(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Check this machine: versions, GPU, codecs, endpoints, disk, plug-ins."""
    from visionllm_interaction.config import load
    from visionllm_interaction.diagnostics import examine

    checks = examine(load(config, override))
    lines = [f"{'ok  ' if c['ok'] else 'FAIL'} {c['name']}: {c['found']}" for c in checks]
    fixes = [f"     {c['name']}: {c['fix']}" for c in checks if not c["ok"]]
    good = all(c["ok"] for c in checks)
    return Outcome({"ok": good, "checks": checks}, as_lines([*lines, *fixes]), json_output, 0 if good else 1)
