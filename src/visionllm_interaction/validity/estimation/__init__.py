"""Estimates from an audit: as detected, from people alone, and corrected, with honest intervals."""
