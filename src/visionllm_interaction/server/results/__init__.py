"""What the store holds, in the form of the API: timelines, detections, measures, questions it can answer."""
