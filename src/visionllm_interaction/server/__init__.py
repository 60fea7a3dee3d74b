"""Stage 6: the HTTP service and its web page."""
