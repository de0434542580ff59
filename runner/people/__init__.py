"""People's ratings as a source: files that they filled in, the key of their sheets, and what a study takes from both."""
