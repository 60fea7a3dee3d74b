"""Detections to tracks: linking, stitching, interpolation, roles."""
