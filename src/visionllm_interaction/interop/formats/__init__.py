"""Files of coding tools, speech tools and tables: one module per format."""
