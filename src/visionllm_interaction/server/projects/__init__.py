"""Projects: whose videos somebody sees, who consented, and how long videos are kept."""
