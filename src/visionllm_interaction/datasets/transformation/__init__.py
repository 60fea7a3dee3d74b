"""Stage 3: write annotation files without what stage 2 told to drop, and everything else untouched."""
