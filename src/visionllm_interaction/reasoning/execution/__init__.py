"""Running a plan: every value is computed by code and becomes evidence."""
