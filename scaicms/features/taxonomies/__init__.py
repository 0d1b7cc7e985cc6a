"""Taxonomies: what content is about, as terms in lists and trees."""
