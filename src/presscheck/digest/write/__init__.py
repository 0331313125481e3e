"""Paper → Entry."""
