"""Gaze of eye trackers: their recordings, where they look in the video, and bouts of looking."""
