"""Files, digests, locks and logging, used by every package."""
