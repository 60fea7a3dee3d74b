"""Stage 4: train, evaluate and tune the detector."""
