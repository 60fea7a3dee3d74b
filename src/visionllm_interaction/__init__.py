"""VisionLLM Interaction Analysis: images → detector → interaction store → answers with evidence.

Importing the package does no work, starts no logging and reads no environment.
"""

__version__ = "0.1.0"
