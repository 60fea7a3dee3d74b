"""Ready-made models: which there are, where they come from, and which of them are on this machine."""
