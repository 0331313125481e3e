"""The check: every statement of a digest held against its paper, part by part, then joined."""
