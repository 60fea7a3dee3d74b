"""Words and forms of questions in English and Norwegian (Bokmål)."""
