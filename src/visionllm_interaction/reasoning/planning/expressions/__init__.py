"""Plans in the language of quantities that a language model writes: prompt, reading, checks against the question."""
