"""JSON Schemas of everything cbtrun reads and writes."""
