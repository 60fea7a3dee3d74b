"""Which images people should annotate next, their way to an annotation tool and back, and what it brought.

Active learning by pool: a detector scores images that nobody has annotated, a few that it is unsure of and that differ
are chosen, people correct its boxes, and training goes on from the last checkpoint.
"""
