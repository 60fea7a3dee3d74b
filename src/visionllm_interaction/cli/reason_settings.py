"""The settings of questions, without waiting for those of everything else."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction.config_files import layers
from visionllm_interaction.config_loading import Section, load_if_only
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.utils.paths import StrPath


class _ReasonAlone(Section):
    """A configuration that sets nothing but `reason`."""

    reason: ReasonConfig = ReasonConfig()
    """Questions."""


def load_reason(files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None) -> ReasonConfig:
    """The section `reason` of what :func:`visionllm_interaction.config.load` gives for the same arguments.

    Where nothing but this section is set, the other sections are not even imported, which a short question would wait
    for. As soon as anything else is set everything is checked together, so that no mistake goes unseen.

    Raises:
        ConfigError: listing every problem at once.
    """
    alone = load_if_only(_ReasonAlone, layers(files or ()), overrides or ())
    if alone is not None:
        return alone.reason
    from visionllm_interaction.config import load

    return load(files, overrides).reason
