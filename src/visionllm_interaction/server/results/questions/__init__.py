"""Questions to the store: answers, follow-ups, and examples that have an answer."""
