"""Where data comes from: folders, archives and downloads, each with its limits."""
