"""Conversations: a question that leans on the one before becomes a full expression, or is refused as ambiguous."""
