"""The systems: one folder a paper, with its method, its claims and the experiment that measures them."""
