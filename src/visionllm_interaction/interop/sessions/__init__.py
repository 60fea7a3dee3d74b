"""Coded files, transcripts and gaze of a whole session, onto its videos and back."""
