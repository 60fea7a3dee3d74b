"""Readers of one kind of question each: amounts, choices, comparisons, shares, and times between moments."""
