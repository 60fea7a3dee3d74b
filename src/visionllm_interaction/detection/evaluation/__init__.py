"""What a detector does well and badly: intervals, error types, calibration, slices, a page to look at."""
