"""What a study found: the shape of results.json, and how it is built."""
