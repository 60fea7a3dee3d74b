"""Streams: labelled intervals and moments of many videos at once, and their algebra."""
