"""Roles: bundles of permissions, and who has them."""
