"""Questions in people's words → expressions of the language of quantities, by words and rules kept as data."""
