"""Entries in, a published edition out: Markdown, page, feed and JSON."""
