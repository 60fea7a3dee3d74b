"""The rules: each finds one kind of issue in the columns."""
