"""Recordings beside the video (sound, trackers, coded files): their clocks, and what was imported from them."""
