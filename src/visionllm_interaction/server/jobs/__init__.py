"""Background jobs: the durable queue, its worker processes, exports and previews."""
