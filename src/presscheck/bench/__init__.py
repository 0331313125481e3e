"""The bench: runs experiments, keeps their records, and judges claims by them."""
