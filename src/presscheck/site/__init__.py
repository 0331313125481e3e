"""The site: editions, papers and systems as static files, the local server, and messages about an edition."""
