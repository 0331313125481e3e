"""Parts of the measurement of search: queries, scores of every paper by every part, and measures."""
