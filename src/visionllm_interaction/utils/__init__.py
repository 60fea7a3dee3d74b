"""Files, hashes and locks: what every room needs and no room owns."""
