"""The sections of the configuration that stages 1–4 read, apart from the stages so that reading them is quick."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.config_loading import Section
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training.config import TrackingConfig, TrainConfig


class PipelineSettings(Section):
    """The sections stages 1–4 read."""

    artifacts_dir: Path = Path("artifacts")
    """Where runs are kept, one folder each."""
    data: IngestConfig = IngestConfig()
    """Stage 1: where the raw data is."""
    validation: ValidateConfig = ValidateConfig()
    """Stage 2: the policy."""
    transform: TransformConfig = TransformConfig()
    """Stage 3."""
    model: ModelConfig = ModelConfig()
    """The detector that stage 4 trains."""
    train: TrainConfig = TrainConfig()
    """Stage 4: how it is trained."""
    tracking: TrackingConfig = TrackingConfig()
    """Where stage 4 records its curves."""
