"""Tables and transcripts that people hand in, in the formats of `formats.py`."""
