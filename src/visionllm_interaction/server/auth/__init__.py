"""Who may come in: API keys, login, sessions."""
