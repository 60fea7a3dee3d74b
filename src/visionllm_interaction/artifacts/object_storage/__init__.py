"""Folders in an object store (S3): objects and conditions, and folders that are published whole."""
