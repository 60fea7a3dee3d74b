"""Patterns over time, for plots: bouts by video, transitions of looks, a coding beside the model."""
