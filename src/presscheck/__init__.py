"""presscheck: the daily-papers digest that is checked."""

__version__ = "0.1.0"
