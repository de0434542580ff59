"""Results: what a study found, from its rated sets to results.json."""
