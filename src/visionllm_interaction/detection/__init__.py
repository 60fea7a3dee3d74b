"""Stage 4: detectors, their training, tuning, evaluation and export."""
