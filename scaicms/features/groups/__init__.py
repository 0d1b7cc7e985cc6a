"""Groups of people, and the roles that their members have."""
