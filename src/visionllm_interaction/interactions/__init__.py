"""Symbols: relations, events, measures and the interaction store (Parquet files read through DuckDB)."""
