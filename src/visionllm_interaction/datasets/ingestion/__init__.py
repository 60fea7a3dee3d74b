"""Stage 1: take in a COCO-style source, note where everything is and what each raw file hashes to."""
