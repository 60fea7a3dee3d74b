"""Stores in an object store (S3)."""
