"""Entries: written from papers, printed as Markdown, read back, held against the paper."""
