"""Commands of the service: serve, keys."""

# Packages are imported inside the commands, so that the other commands start without the service's libraries.

from __future__ import annotations

from typing import Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides

keys = typer.Typer(help="API keys of the service.", no_args_is_help=True, rich_markup_mode=None)


def serve(
    config: ConfigFiles = None,
    override: Overrides = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Start without API keys (loopback only).")] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Start the HTTP service and its web page; stop it with Ctrl-C."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.run import serve as start_service

    settings = load(config, [*(override or []), *(["serve.insecure=true"] if insecure else [])])
    start_service(settings.serve, analysis=settings.analysis, reason=settings.reason, measures=settings.measures)
    return CommandResult({"status": "stopped"}, "stopped", json_output)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The person or program that uses the key.")],
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Make a key. It is shown once; only its digest is kept."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import create_key

    keys_file = load(config, override).serve.keys_path
    key = create_key(keys_file, name=name)
    return CommandResult({"name": name, "key": key, "keys_file": str(keys_file)}, key, json_output)


@keys.command("list")
def list_command(
    config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False
) -> CommandResult:
    """List the keys by name."""
    from visionllm_interaction.config import load
    from visionllm_interaction.server.auth.api_keys import list_keys

    found = list_keys(load(config, override).serve.keys_path)
    shown = [{"id": key.id, "name": key.name, "created_at": key.created_at} for key in found]
    text = as_lines(f"{key['id']}  {key['created_at'][:10]}  {key['name']}" for key in shown)
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
