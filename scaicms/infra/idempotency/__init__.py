"""Answers kept for 24 hours, so that a repeated POST gets the first one again."""
