"""The report of a study: what one can publish, and where the detector is not good enough for it."""
