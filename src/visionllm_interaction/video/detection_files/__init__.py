"""Files of detections of other programs: their formats, and which frames they are of."""
