"""Language models through transformers, in this process; no light room imports this one."""
