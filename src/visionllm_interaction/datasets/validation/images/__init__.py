"""Looking at image files: decoding in worker processes, and near-duplicates."""
