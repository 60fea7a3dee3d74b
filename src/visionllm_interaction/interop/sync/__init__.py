"""Where recordings lie on each other's clocks, from their sound or as somebody says."""
