"""Aggregates: from streams of every group to one value each."""
