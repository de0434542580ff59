"""Before a run: what it would take, what would stop it, and a rehearsal of it."""
