"""Settings of measures for commands that need no others: the other sections are not imported."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction.config_files import layers
from visionllm_interaction.config_loading import Section, load_if_only
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.utils.paths import StrPath


class MeasuresSettings(Section):
    """The section that commands on measures need."""

    measures: MeasuresConfig = MeasuresConfig()
    """Definitions of measures."""


def load_measures_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> MeasuresConfig:
    """The section ``measures`` of :func:`visionllm_interaction.config.load`.

    If only this section is set, the other sections are not imported, which saves a short command half a second.
    Otherwise the whole configuration is checked, so that no mistake goes unnoticed.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        The section.

    Raises:
        ConfigError: with all problems at once.
    """
    alone = load_if_only(MeasuresSettings, layers(files or ()), overrides or ())
    if alone is not None:
        return alone.measures
    from visionllm_interaction.config import load

    return load(files, overrides).measures
