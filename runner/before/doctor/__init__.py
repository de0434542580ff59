"""What would stop a study on this machine, found before it starts: `cbtrun doctor`."""
