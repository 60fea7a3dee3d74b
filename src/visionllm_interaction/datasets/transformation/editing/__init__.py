"""Editing annotation files in place of rewriting them: only the changed bytes differ."""
