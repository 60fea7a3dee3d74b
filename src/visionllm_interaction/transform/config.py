"""Settings of stage 3 (section ``transform``)."""

from __future__ import annotations

from visionllm_interaction.settings import Section


class TransformConfig(Section):
    """Nothing to set yet: stage 3 does exactly what the policy of stage 2 decided."""
