"""Agreement between coders, people or models: over time, over events, in totals."""
