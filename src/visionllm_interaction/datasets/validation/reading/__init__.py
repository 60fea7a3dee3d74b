"""COCO annotation files as columns, read in chunks."""
