"""Did the simulated people stay who they were? Checks of one session, by program, one file per fault."""
