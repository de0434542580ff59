"""Training transcripts: written by an author model, read from files or from a data set."""
