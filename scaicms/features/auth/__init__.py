"""Who is calling: passwords, sessions, tokens."""
