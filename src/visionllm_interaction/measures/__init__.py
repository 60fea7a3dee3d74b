"""Measures: the catalogue, the engine that computes them, and the tidy table."""
