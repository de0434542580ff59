"""Tables that people hand in: CSV, JSON lines and Parquet."""
