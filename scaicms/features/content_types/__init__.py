"""What kinds of content a site has, and which fields each kind has."""
