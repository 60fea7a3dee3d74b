"""What int8 costs: AP of a trained checkpoint and of its OpenVINO exports, on the same validation images.

    python benchmarks/detection/int8_quality.py artifacts/RUN/model_trainer/fasterrcnn_best.pt artifacts/RUN/data_transformation/training_manifest.yaml

``make demo`` leaves such a run. int8 is calibrated on 100 training images.
"""  # noqa: E501

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from visionllm_interaction.detection.evaluation.evaluate import evaluate_checkpoint
from visionllm_interaction.detection.export.export_with_data import export_with_data

OUT = Path(__file__).parents[1] / "results" / "int8_quality.json"
METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")


def main() -> None:
    """Export twice, evaluate three times."""
    checkpoint, data = Path(sys.argv[1]), Path(sys.argv[2])
    sides = {"torch float32": checkpoint}
    with tempfile.TemporaryDirectory() as folder:
        for target in ("openvino", "openvino-int8"):
            sides[target] = Path(folder) / target
            export_with_data(checkpoint, target, sides[target], data=data, images=None, compared=8, calibration=100)  # type: ignore[arg-type]
        figures = {name: evaluate_checkpoint(path, data) for name, path in sides.items()}
    reference = figures["torch float32"]["AP"]
    result = {
        "figures": {name: {key: round(f[key], 4) for key in METRICS} for name, f in figures.items()},
        "AP_lost": {name: round(reference - f["AP"], 4) for name, f in figures.items()},
    }
    OUT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
