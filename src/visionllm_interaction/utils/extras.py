"""Extras: the groups of optional packages of this distribution, as its own metadata lists them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from visionllm_interaction.errors import UsageError

DISTRIBUTION = "visionllm-interaction"
USES = {
    "models": "checkpoints (.pt, .safetensors, .pth) and OpenVINO exports, with torch",
    "train": "train, tune, evaluate",
    "label": "label: images to annotate next",
    "video": "analyze, blur, heads, sync, annotated films",
    "serve": "the service and its page",
    "oidc": "serve: log-in through an identity provider",
    "otel": "serve: traces to an OpenTelemetry collector",
    "reason": "questions planned or worded by a language model",
    "export": "export-model, int8",
    "openvino": "detectors in ONNX and ready-made models, without torch",
    "validity": "agree, audit, correct, report, mixed models",
    "splits": "transform.splits: a new division of the images",
    "report": "plots of the validation report",
    "download": "data from addresses",
    "toyroom": "the simulated play room",
    "notebook": "pandas and xarray",
    "rerun": "export to Rerun",
    "cluster": "analyze --cluster ray",
    "s3": "stores and artifacts in an object store, s3://…",
}
"""What a user does with each extra; extras that only serve others are left out."""

_REQUIREMENT = re.compile(r"""([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?[^;]*;.*\bextra\s*==\s*['"]([^'"]+)['"]""")
_DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "opentelemetry": "opentelemetry-exporter-otlp-proto-http",
    "pydantic-ai": "pydantic-ai-slim",
    "rerun": "rerun-sdk",
    "sklearn": "scikit-learn",
}
"""Modules that are not named like the distribution that brings them."""


def packages_of(extra: str) -> frozenset[str]:
    """The packages that an extra brings, those of the extras in it included.

    Args:
        extra: name of the extra, as in ``pip install 'visionllm-interaction[NAME]'``.

    Returns:
        Names of distributions; empty if there is no such extra.
    """
    found: set[str] = set()
    for name, inner, of_extra in _requirements():
        if of_extra == extra and name == DISTRIBUTION:
            found = found.union(*(packages_of(one) for one in inner))
        elif of_extra == extra:
            found.add(name)
    return frozenset(found)


def missing_packages(extra: str) -> tuple[str, ...]:
    """The packages of an extra that are not installed, by name.

    Args:
        extra: name of the extra.

    Returns:
        Names of distributions, sorted.
    """
    return tuple(sorted(name for name in packages_of(extra) if not _is_installed(name)))


def explain_missing(module: str, *, command: str = "", extra: str | None = None) -> UsageError | None:
    """Turn a module that cannot be imported into a message that says what to install.

    Args:
        module: name of the module, with or without submodules.
        command: the command that needs it, if it is known.
        extra: the extra of that command, if it has one.

    Returns:
        The error to show; ``None`` if no extra brings the module, so that its absence is a fault of the program.
    """
    name = module.split(".")[0].replace("_", "-").lower()
    distribution = _DISTRIBUTIONS.get(name, name)
    bringing = [one for one in USES if distribution in packages_of(one)]
    if not bringing or _is_installed(distribution):
        return None
    chosen = extra if extra and distribution in packages_of(extra) else bringing[0]
    return UsageError(
        "A package that this needs is not installed.",
        expected=f"{distribution}, of the extra {chosen}",
        found="it cannot be imported",
        where=f"visionllm {command}".strip(),
        fix=f"pip install '{DISTRIBUTION}[{chosen}]'",
    )


def require_modules(modules: Sequence[str], *, extra: str, command: str) -> None:
    """Say which extra is missing before any work is done that would be lost without it.

    Args:
        modules: top-level modules without which the work cannot be finished; they are looked for, not imported.
        extra: the extra that brings them.
        command: the command that needs them.

    Raises:
        UsageError: if one is not installed.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            problem = explain_missing(module, command=command, extra=extra)
            if problem is not None:
                raise problem


def _requirements() -> Iterator[tuple[str, list[str], str]]:
    """Name, extras in brackets, and the extra that asks for it, of every optional requirement."""
    try:
        listed = requires(DISTRIBUTION) or ()
    except PackageNotFoundError:  # run from a source tree that was never installed
        return
    for text in listed:
        if match := _REQUIREMENT.match(text):
            name, inner, extra = match.groups()
            yield name.lower(), [part.strip() for part in (inner or "").split(",") if part.strip()], extra


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
