"""What a detector does well and badly: intervals, error types, calibration, slices, an HTML report."""
