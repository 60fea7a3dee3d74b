"""Background analyses: uploads, the durable job queue, the worker process."""
