"""What strangers wrote, read as plain values: YAML with its places, schemas in plain words, patterns within bounds."""
