"""The exceptions of the package.

::

    VisionLLMError                      exit 1   an error in the program itself
    ├── UsageError                      exit 2   a wrong command, option or question
    │   ├── ConfigError                 exit 2   a wrong configuration file or override
    │   ├── ExpressionError             exit 2   an expression that cannot be read, or does not fit together
    │   ├── ModelMissing                exit 2   a ready-made model is needed that is not on this machine
    │   └── PluginError                 exit 2   a requested plug-in cannot be used
    ├── InputDataError                  exit 3   wrong input data
    │   ├── ManifestError                        a manifest is missing, unreadable or of another stage
    │   ├── AnnotationError                      a COCO-style annotation file cannot be used
    │   ├── ArchiveError                         an archive is damaged, unsafe or exceeds the limits
    │   ├── SpaceError                           the disk has no room for the data
    │   ├── ValidationFailed                     stage 2 ended with status FAIL
    │   ├── ImageError                           an image cannot be decoded
    │   ├── VideoError                           a video cannot be decoded
    │   ├── ProofFailed                          something in a copy is not hidden; the copy was deleted
    │   ├── ConsentMissing                       consent was withdrawn, or is required and not recorded: no export
    │   ├── CheckpointError                      a checkpoint is unreadable or belongs to another model
    │   ├── PromotionRefused                     a version of the registry does not pass the gate to the service
    │   ├── StoreError                           an interaction store is missing, damaged or of another version
    │   └── LineageError                         a link between an artifact and its inputs is broken
    ├── TrainingDiverged                exit 1   the training loss is no longer finite
    ├── OutputError                     exit 1   a result cannot be written: the disk is full or read-only
    ├── Interrupted                     exit 75  stopped by a signal; the same command continues
    └── ServiceError                    exit 4   an external service is unreachable
        ├── DownloadFailed                       a server did not send the requested file
        ├── LLMUnreachable                       the language model endpoint
        └── TrackingUnreachable                  the experiment tracking server

A message says what was expected, what was found, where, and how to fix it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VisionLLMError(Exception):
    """Base of all exceptions. ``str(error)`` is the whole message; :meth:`to_dict` is its JSON form.

    Args:
        message: one sentence that says what is wrong.
        expected: what was expected.
        found: what was found instead.
        where: the file, line or address.
        fix: what the user can do.
    """

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
        """The ``error`` object that ``--json`` prints and the service sends."""
        return {
            "code": self.code,
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
            "where": self.where,
            "fix": self.fix,
        }


class UsageError(VisionLLMError):
    """A wrong command, option or question."""

    exit_code = 2
    code = "USAGE"


class ExpressionError(UsageError):
    """An expression of the query language cannot be read, or its parts do not fit together.

    Args:
        message: one sentence that says what is wrong.
        column: where it is wrong, from 1.
        expected: what was expected there.
        found: what was found instead.
        fix: how to write it.
    """

    code = "EXPRESSION"

    def __init__(
        self,
        message: str,
        *,
        column: int,
        expected: str | None = None,
        found: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, expected=expected, found=found, where=f"column {column}", fix=fix)
        self.column = column


class ConfigError(UsageError):
    """A wrong configuration file or override.

    Args:
        message: all problems as one text.
        problems: the problems one by one.
        **context: ``expected``, ``found``, ``where`` and ``fix``.
    """

    code = "CONFIG"

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **context: str | None) -> None:
        super().__init__(message, **context)
        self.problems = problems

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` object, with the list of problems added."""
        return {**super().to_dict(), "problems": list(self.problems)}


class ModelMissing(UsageError):
    """A ready-made model is needed that is not on this machine; ``fix`` is the command that gets it."""

    code = "MODEL-MISSING"


class PluginError(UsageError):
    """A plug-in cannot be imported, does not implement its protocol, or failed; ``where`` names it."""

    code = "PLUGIN"


class InputDataError(VisionLLMError):
    """Wrong input data."""

    exit_code = 3
    code = "INPUT"


class ManifestError(InputDataError):
    """A manifest is missing, unreadable or belongs to another stage."""

    code = "MANIFEST"


class AnnotationError(InputDataError):
    """A COCO-style annotation file cannot be used."""

    code = "ANNOTATIONS"


class ArchiveError(InputDataError):
    """An archive is damaged, unsafe or exceeds the limits; nothing of it was kept."""

    code = "ARCHIVE"


class SpaceError(InputDataError):
    """The disk has no room for the data. Nothing was written, or the part already written is kept to continue."""

    code = "DISK-SPACE"


class ValidationFailed(InputDataError):
    """Stage 2 ended with status FAIL; the report lists every issue."""

    code = "VALIDATION-FAILED"


class ImageError(InputDataError):
    """An image cannot be decoded or exceeds the size limits."""

    code = "IMAGE"


class VideoError(InputDataError):
    """A video cannot be decoded or exceeds the limits."""

    code = "VIDEO"


class ProofFailed(InputDataError):
    """Something that was to be hidden in a copy of a video is not hidden; the copy was deleted."""

    code = "PROOF-FAILED"


class ConsentMissing(InputDataError):
    """Nothing of a video may be exported: consent was withdrawn, or is required and not recorded."""

    code = "CONSENT"


class CheckpointError(InputDataError):
    """A checkpoint is unreadable, unsafe or belongs to another model."""

    code = "CHECKPOINT"


class PromotionRefused(InputDataError):
    """A version of the model registry does not pass the gate to the service; ``found`` names the limits it misses."""

    code = "PROMOTION-REFUSED"


class StoreError(InputDataError):
    """An interaction store is missing, damaged or of another version."""

    code = "STORE"


class LineageError(InputDataError):
    """A link between an artifact and its inputs is broken."""

    code = "LINEAGE"


class TrainingDiverged(VisionLLMError):
    """The training loss is no longer a finite number."""

    code = "TRAINING-DIVERGED"


class OutputError(VisionLLMError):
    """A result cannot be written: the disk is full, broken or read-only."""

    code = "OUTPUT"


class Interrupted(VisionLLMError):
    """Stopped by a signal; the same command continues. Exit code 75 is ``EX_TEMPFAIL`` of ``sysexits.h``."""

    exit_code = 75
    code = "INTERRUPTED"


class ServiceError(VisionLLMError):
    """An external service is unreachable."""

    exit_code = 4
    code = "SERVICE"


class DownloadFailed(ServiceError):
    """A server did not send the requested file. The part that arrived is kept; the same command continues."""

    code = "DOWNLOAD"


class LLMUnreachable(ServiceError):
    """The language model endpoint does not answer."""

    code = "LLM-UNREACHABLE"


class TrackingUnreachable(ServiceError):
    """The experiment tracking server does not answer."""

    code = "TRACKING-UNREACHABLE"
