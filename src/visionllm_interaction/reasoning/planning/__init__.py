"""From a question to a plan of typed queries, by rules or by a language model."""
