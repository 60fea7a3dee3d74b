"""Phrases to boxes and tracks in a frame, and closed questions to a vision model."""
