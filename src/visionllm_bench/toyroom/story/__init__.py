"""The script of a video: who does what with which toy, and when."""
