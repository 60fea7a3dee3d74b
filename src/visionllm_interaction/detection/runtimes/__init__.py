"""Detectors that run: torch checkpoints, OpenVINO and ONNX graphs, behind one protocol."""
