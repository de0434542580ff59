"""Who rates, by what, and whether they may."""
