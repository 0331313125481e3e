"""What the package ships: editions written by us (data, no code)."""
