"""Analyses that outlive a request: the queue, the worker process, uploads."""
