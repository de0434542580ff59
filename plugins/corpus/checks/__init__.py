"""Checks that every corpus can go through, in one place: what is wrong with a transcript, how often, and examples."""
