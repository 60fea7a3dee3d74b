"""Speech from outside: diarisation, day-long recorders, transcripts, subtitles."""
