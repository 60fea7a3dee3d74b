"""Timelines of videos: lanes of codes, what is not known, and those that are kept."""
