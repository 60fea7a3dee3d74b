"""The output of every command: one JSON object on stdout with ``--json``, logs on stderr, a documented exit code."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer
from typer.exceptions import TyperException

from visionllm_interaction.errors import UsageError, VisionLLMError
from visionllm_interaction.utils.logs import RequestIdFilter, add_request_id, log

if TYPE_CHECKING:
    from rich.console import Console

    from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice

JsonFlag = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML file, read after those in ./config/; several are read in order."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", metavar="KEY=VALUE", help="One setting, for example -o train.epochs=3."),
]


class OpenStores:
    """The stores of object stores that a command works on, each as a working copy until the command ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._urls: dict[str, str] = {}

    def check_out(self, url: str) -> Path:
        """The folder of a working copy; what the command changes in it is published when it ends without an error."""
        from visionllm_interaction.store.object_storage.working_copy import working_copy

        copy = self._stack.enter_context(working_copy(url))
        self._urls[str(copy.folder)] = copy.url
        return copy.folder

    def named(self, text: str) -> str:
        """``text`` with the addresses of the stores, not the folders of their working copies."""
        for folder, url in self._urls.items():
            text = text.replace(folder, url)
        return text

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


_OPEN_STORES: ContextVar[OpenStores] = ContextVar("open_stores")


def _store_folder(place: str | Path) -> Path:
    """The folder of a store that is named by its folder or its address."""
    if "://" in str(place):
        from visionllm_interaction.artifacts.object_storage.bucket import is_url

        if is_url(str(place)):
            return _OPEN_STORES.get().check_out(str(place))
    return Path(place)


StoreOption = Annotated[
    Path,
    typer.Option(
        "--store",
        parser=_store_folder,
        metavar="DIR",
        help="The interaction store: a folder, or s3://BUCKET/PREFIX.",
    ),
]
ByOption = Annotated[
    Literal["video", "session"], typer.Option(help="Each video by itself, or sessions with their videos as one.")
]
SessionOption = Annotated[str | None, typer.Option("--session", help="Only this session, as one.")]
ValuesOption = Annotated[
    Literal["detected", "corrected"] | None,
    typer.Option(
        "--values",
        help="Of videos that people have corrected: the corrected values (default), or those as detected.",
    ),
]
CameraOption = Annotated[str | None, typer.Option(help="Of sessions: only videos of this camera.")]


@dataclass(frozen=True)
class CommandResult:
    """The result of a command.

    Attributes:
        result: the JSON object that ``--json`` prints.
        text: the same in words.
        as_json: whether ``--json`` was given.
        exit_code: 0, or 3 for a command that found bad data.
    """

    result: Mapping[str, Any]
    text: str
    as_json: bool
    exit_code: int = 0


def session_choice(by: str, session: str | None, camera: str | None) -> SessionChoice | None:
    """Which sessions a command is about.

    Args:
        by: ``video`` or ``session``.
        session: only this session.
        camera: only videos of this camera.

    Returns:
        The sessions; None: videos.

    Raises:
        UsageError: if a camera is named and sessions are not asked about.
    """
    if by != "session" and session is None:
        if camera is None:
            return None
        raise UsageError("A camera is chosen of sessions.", expected="--by session beside --camera", found="no session")
    from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice

    return SessionChoice(session, camera)


def progress_console() -> Console:
    """The console for progress and logs: stderr, so that stdout holds only results."""
    from rich.console import Console

    return Console(stderr=True)


def run_app(app: Callable[..., Any], arguments: Sequence[str]) -> int:
    """Run the Typer app, print its result or error, and return the exit code.

    Args:
        app: the application, or any function that takes ``args`` and ``standalone_mode``.
        arguments: the command line without the name of the program.

    Returns:
        0 done, 1 unexpected, 2 usage or configuration, 3 bad input, 4 a service is unreachable, 130 interrupted.
    """
    as_json = "--json" in arguments
    _configure_logging()
    stores = OpenStores()
    current = _OPEN_STORES.set(stores)
    try:
        with stores:
            outcome = app(args=list(arguments), standalone_mode=False)
    except TyperException as error:
        return _usage_problem(error, as_json=as_json)
    except VisionLLMError as error:
        return _fail(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        progress_console().print("Stopped. The same command continues where it stopped.")
        return 130
    except ModuleNotFoundError as error:
        problem = _missing_extra(error, arguments)
        return _fail(problem, as_json=as_json) if problem else _unexpected(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 (outermost frame: anything that arrives here is a bug, exit 1)
        return _unexpected(error, as_json=as_json)
    finally:
        _OPEN_STORES.reset(current)
    return _succeed(outcome, stores)


def _missing_extra(error: ModuleNotFoundError, arguments: Sequence[str]) -> UsageError | None:
    """What to install for the command that was called; ``None`` if no extra brings the module."""
    from visionllm_interaction.cli.command_table import COMMANDS, added_commands
    from visionllm_interaction.utils.extras import explain_missing

    commands = COMMANDS | added_commands()
    command = next((word for word in arguments if word in commands), "")
    return explain_missing(error.name or "", command=command, extra=commands[command].extra if command else None)


def _unexpected(error: Exception, *, as_json: bool) -> int:
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    return _fail(VisionLLMError(f"Unexpected {type(error).__name__}: {error}"), as_json=as_json)


def _succeed(outcome: CommandResult | int | None, stores: OpenStores) -> int:
    if not isinstance(outcome, CommandResult):
        return outcome or 0
    text = json.dumps(outcome.result, ensure_ascii=False, default=str) if outcome.as_json else outcome.text
    _write(stores.named(text))
    return outcome.exit_code


def _usage_problem(error: TyperException, *, as_json: bool) -> int:
    message = error.format_message()
    if as_json:
        problem = UsageError(message, fix="see `visionllm --help` or `visionllm COMMAND --help`")
        _write(json.dumps({"error": problem.to_dict()}, ensure_ascii=False))
    show = getattr(error, "show", None)
    if show is not None:
        show(file=sys.stderr)
    return error.exit_code


def _fail(error: VisionLLMError, *, as_json: bool) -> int:
    if as_json:
        _write(json.dumps({"error": error.to_dict()}, ensure_ascii=False, default=str))
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code


def _write(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def _configure_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestIdFilter())
    logging.basicConfig(
        handlers=[handler], level=logging.WARNING, format="%(levelname)s %(name)s%(request)s: %(message)s"
    )
    log.set_up_with(_configure_structlog)


def _configure_structlog() -> None:
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            add_request_id,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, pad_level=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # the present stderr: the caller of main() may have replaced it since the command began
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
