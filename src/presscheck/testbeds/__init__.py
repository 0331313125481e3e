"""Models, data and metrics that several experiments share, one family a module."""
