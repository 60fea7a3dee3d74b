"""Stage 4: detectors, their training, tuning, evaluation and export."""

from __future__ import annotations

from visionllm_interaction.detection.torchvision_import import import_without_compiler

import_without_compiler()
