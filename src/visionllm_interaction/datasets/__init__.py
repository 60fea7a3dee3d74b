"""Stages 1 to 3: annotation files and images, from any source to cleaned COCO files."""
