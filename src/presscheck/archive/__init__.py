"""The archive: papers and editions of many days, their index, search, and what is near to what."""
