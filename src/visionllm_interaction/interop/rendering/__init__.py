"""Frames of the source video written out again: with boxes drawn in, or as images."""
