"""The public site: published content as pages."""
