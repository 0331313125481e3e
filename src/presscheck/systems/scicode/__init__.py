"""SciCode."""
