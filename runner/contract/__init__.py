"""What the engine and its plugins hand to each other: records, requests, plans."""
