"""The interaction store: a folder of Parquet files for each video, read through DuckDB."""
