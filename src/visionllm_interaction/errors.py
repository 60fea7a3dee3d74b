"""Every exception the package raises on purpose.

::

    VisionLLMError                      exit 1   anything that is our fault
    ├── UsageError                      exit 2   a command, option or question was wrong
    │   ├── ConfigError                 exit 2   a configuration file or override was wrong
    │   └── PluginError                 exit 2   a plug-in that was asked for cannot be used
    ├── InputDataError                  exit 3   data handed to us was wrong
    │   ├── ManifestError                        a manifest is missing, unreadable or of another stage
    │   ├── AnnotationError                      a COCO-style annotation file is wrong
    │   ├── ArchiveError                         an archive is damaged, unsafe or over the limits
    │   ├── SpaceError                           the disk has no room for the data
    │   ├── ValidationFailed                     stage 2 ended with status FAIL
    │   ├── ImageError                           an image cannot be decoded
    │   ├── VideoError                           a video cannot be decoded
    │   ├── CheckpointError                      a checkpoint is unreadable or of another model
    │   ├── StoreError                           an interaction store is missing, damaged or of another version
    │   └── LineageError                         a link between an artifact and its inputs is broken
    ├── TrainingDiverged                exit 1   the training loss stopped being a number
    ├── OutputError                     exit 1   a result cannot be written: the disk is full or read-only
    ├── Interrupted                     exit 75  stopped in order by a signal; the same command continues
    └── ServiceError                    exit 4   a service we depend on is unreachable
        ├── DownloadFailed                       a server did not send what was asked for
        ├── LLMUnreachable                       the language model endpoint
        └── TrackingUnreachable                  the experiment tracking server

A message says what was expected, what was found, where, and what to do about it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VisionLLMError(Exception):
    """Base of the tree. ``str(error)`` is the whole message; :meth:`to_dict` is its JSON form."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        where: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.found = found
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        parts = [("expected", self.expected), ("found", self.found), ("where", self.where), ("fix", self.fix)]
        return "\n".join([self.message, *(f"  {name}: {text}" for name, text in parts if text)])

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` object printed by ``--json`` and sent by the service."""
        return {
            "code": self.code,
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
            "where": self.where,
            "fix": self.fix,
        }


class UsageError(VisionLLMError):
    """A command, option or question was wrong."""

    exit_code = 2
    code = "USAGE"


class ConfigError(UsageError):
    """A configuration file or override was wrong; ``problems`` lists all of them."""

    code = "CONFIG"

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **context: str | None) -> None:
        super().__init__(message, **context)
        self.problems = problems

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` object, with the list of problems added."""
        return {**super().to_dict(), "problems": list(self.problems)}


class PluginError(UsageError):
    """A plug-in cannot be imported, does not fulfil its Protocol, or failed at work; ``where`` names it."""

    code = "PLUGIN"


class InputDataError(VisionLLMError):
    """Data handed to us was wrong."""

    exit_code = 3
    code = "INPUT"


class ManifestError(InputDataError):
    """A manifest is missing, unreadable or belongs to another stage."""

    code = "MANIFEST"


class AnnotationError(InputDataError):
    """A COCO-style annotation file cannot be used."""

    code = "ANNOTATIONS"


class ArchiveError(InputDataError):
    """An archive is damaged, unsafe or over the limits; nothing of it was kept."""

    code = "ARCHIVE"


class SpaceError(InputDataError):
    """The disk has no room for the data; nothing was written, or what was written is kept to be continued."""

    code = "DISK-SPACE"


class ValidationFailed(InputDataError):
    """Stage 2 ended with status FAIL; the report lists every fault."""

    code = "VALIDATION-FAILED"


class ImageError(InputDataError):
    """An image cannot be decoded or is over the size limits."""

    code = "IMAGE"


class VideoError(InputDataError):
    """A video cannot be decoded or is over the limits."""

    code = "VIDEO"


class CheckpointError(InputDataError):
    """A checkpoint is unreadable, unsafe or of another model."""

    code = "CHECKPOINT"


class StoreError(InputDataError):
    """An interaction store is missing, damaged or of another version."""

    code = "STORE"


class LineageError(InputDataError):
    """A link between an artifact and its inputs is broken."""

    code = "LINEAGE"


class TrainingDiverged(VisionLLMError):
    """The training loss is not a finite number any more."""

    code = "TRAINING-DIVERGED"


class OutputError(VisionLLMError):
    """A result cannot be written: the disk is full, broken or read-only."""

    code = "OUTPUT"


class Interrupted(VisionLLMError):
    """Stopped in order by a signal; the same command continues (75 is sysexits' "try again")."""

    exit_code = 75
    code = "INTERRUPTED"


class ServiceError(VisionLLMError):
    """A service we depend on is unreachable."""

    exit_code = 4
    code = "SERVICE"


class DownloadFailed(ServiceError):
    """A server did not send what was asked for; what arrived is kept, the same command continues."""

    code = "DOWNLOAD"


class LLMUnreachable(ServiceError):
    """The language model endpoint does not answer."""

    code = "LLM-UNREACHABLE"


class TrackingUnreachable(ServiceError):
    """The experiment tracking server does not answer."""

    code = "TRACKING-UNREACHABLE"
