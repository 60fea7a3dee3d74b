"""Settings of measures for commands that need no others: the other sections are not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from visionllm_interaction.config_files import layers
from visionllm_interaction.utils.paths import StrPath

if TYPE_CHECKING:
    from visionllm_interaction.measures.config import MeasuresConfig


def load_measures_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> MeasuresConfig | None:
    """The section ``measures`` of :func:`visionllm_interaction.config.load`.

    If only this section is set, the other sections are not imported, which saves a short command half a second.
    Otherwise the whole configuration is checked, so that no mistake goes unnoticed.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        The section; None where nothing is set.

    Raises:
        ConfigError: with all problems at once.
    """
    read = layers(files or ())
    if not read and not overrides:
        return None
    from visionllm_interaction.config_loading import load_if_only
    from visionllm_interaction.measures.config import MeasuresSettings

    alone = load_if_only(MeasuresSettings, read, overrides or ())
    if alone is not None:
        return alone.measures
    from visionllm_interaction.config import load

    return load(files, overrides).measures
