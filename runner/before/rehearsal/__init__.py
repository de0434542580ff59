"""The rehearsal of a study: the same file and the same stages, with stand-ins for its models and small counts."""
