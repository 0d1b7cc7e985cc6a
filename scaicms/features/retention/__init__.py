"""Removing rows and files that are past their time."""
