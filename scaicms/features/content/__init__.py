"""Items: drafts, publishing, delivery, import."""
