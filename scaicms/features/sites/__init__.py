"""Sites: who they are, where they answer."""
