"""Authentication: API keys, login, sessions."""
