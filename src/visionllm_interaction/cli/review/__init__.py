"""Commands for people who check and correct what was found."""
