"""Data sets, trainings and detectors as the page shows them, and the change to another detector."""
