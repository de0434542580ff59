"""What the engine and its plugins hand to each other: records, requests, marks of schemas, what hooks are asked with."""
