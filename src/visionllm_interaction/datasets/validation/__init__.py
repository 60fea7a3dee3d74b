"""Stage 2: find every fault of the data, name it, and judge it by a policy."""
