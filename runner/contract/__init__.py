"""What stands between the engine and its plugins: marks of schemas, and what hooks are asked with."""
