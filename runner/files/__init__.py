"""Files: plain ones alone, written whole or not at all, and the run folder that holds them."""
