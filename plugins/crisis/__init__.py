"""Is this a crisis? A check of every patient turn, by program."""
