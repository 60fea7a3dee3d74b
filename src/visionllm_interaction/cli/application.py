"""The Typer application. Each command is imported when it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
import typer.main

from visionllm_interaction import __version__
from visionllm_interaction.cli.command_table import COMMANDS, CommandEntry, added_commands
from visionllm_interaction.errors import PluginError, UsageError
from visionllm_interaction.utils.path_type import address_in

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


class LazyCommands(Mapping[str, "Command"]):
    """The commands by name; each is imported when it is looked up.

    Entry points of other packages are read when all commands are listed, or when this package has no command of a name.
    """

    def __init__(self, entries: Mapping[str, CommandEntry]) -> None:
        self._own = entries
        self._loaded: dict[str, Command] = {}

    @cached_property
    def entries(self) -> Mapping[str, CommandEntry]:
        """The table of all commands, with those of other packages."""
        return {**self._own, **added_commands()}

    def __getitem__(self, name: str) -> Command:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._own[name]) if name in self._own else self._load_added(name)
        return self._loaded[name]

    def _load_added(self, name: str) -> Command:
        entry = self.entries[name]
        try:
            return _load(name, entry)
        except (ImportError, AttributeError, TypeError, RuntimeError) as error:
            raise PluginError(
                "A command of another distribution cannot be loaded.",
                expected=f"the function {entry.attribute} in the module {entry.module}",
                found=f"{type(error).__name__}: {error}",
                where=f"visionllm {name}",
                fix="upgrade or uninstall that distribution, or tell its authors; all other commands work",
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _load(name: str, entry: CommandEntry) -> Command:
    target = getattr(
        import_module(entry.module if "." in entry.module else f"{__package__}.{entry.module}"), entry.attribute
    )
    if isinstance(target, typer.Typer):
        _refuse_addresses(target)
        group: Command = typer.main.get_group(target)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name)(target)
    _refuse_addresses(single)
    return typer.main.get_command(single)


def _refuse_addresses(app: typer.Typer) -> None:
    """Let every command of an application refuse an address such as ``s3://…`` where it takes a path."""
    for entry in app.registered_commands:
        if entry.callback is not None:
            entry.callback = _with_paths_of_this_machine(entry.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _refuse_addresses(group.typer_instance)


def _with_paths_of_this_machine(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def checked(*given: Any, **named: Any) -> Any:
        for name, value in named.items():
            for one in value if isinstance(value, list | tuple) else (value,):
                address = address_in(one) if isinstance(one, Path) else None
                if address is not None:
                    raise UsageError(
                        "An address cannot be used here.",
                        expected="a path of this machine",
                        found=address,
                        where=name,
                        fix="--store takes the address of a store; `visionllm copy` brings other folders here",
                    )
        return command(*given, **named)

    return checked


class LazyGroup(typer.core.TyperGroup):
    """The root group: it lists the commands of the table without importing them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": None})
        self._table = LazyCommands(COMMANDS)
        self.commands = self._table  # type: ignore[assignment]  # the group only reads it

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write each command with its summary."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._table.entries.items()])


app = typer.Typer(
    name="visionllm",
    cls=LazyGroup,
    help="From images to a detector, from video to an interaction store, from questions to proven answers.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass
