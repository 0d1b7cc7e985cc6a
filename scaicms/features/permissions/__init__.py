"""What can be permitted."""
