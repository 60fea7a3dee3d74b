"""A copy of a video in which faces or whole people are blurred."""
