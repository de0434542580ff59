"""Taking one person's words out of a run: what goes, and the tombstone that keeps every n true."""
