"""Consent of those who are filmed, and how long videos may be kept."""
