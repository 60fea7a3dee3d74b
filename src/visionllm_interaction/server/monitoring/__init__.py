"""What the service tells those who run it beyond its state: jobs' durations, drift, traces."""
