"""Audits: which frames or clips people label, their tasks, and the labels that come back."""
