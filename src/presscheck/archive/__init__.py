"""Papers of many days in one place, and how they are found again: by words, by meaning, in two languages."""
