"""Roles that somebody who looked gave to people: kept beside the results, and given again after each analysis."""
