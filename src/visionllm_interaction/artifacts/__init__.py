"""Run folders, manifests, digests, atomic publishing and lineage."""
