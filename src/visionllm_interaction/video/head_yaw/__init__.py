"""Yaw of heads: estimated from faces, or read from a file."""
