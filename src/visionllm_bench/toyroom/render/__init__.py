"""Rendering: sprites composed into frames, seen by a room camera or a head camera."""
