"""The validation report as an HTML page."""
