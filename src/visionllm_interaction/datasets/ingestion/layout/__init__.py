"""Where the files of a data set lie: discovery, splits, grouping, indexing and verification."""
