"""A run held to what somebody asked of it beforehand: minimums, maximums, and being no worse than another run."""
