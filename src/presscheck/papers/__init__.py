"""Sources in, papers out: services and files are read, cleaned and kept."""
