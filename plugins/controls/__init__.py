"""Scripted therapists for studies of safety: one that does what guidance asks for, and one that must fail."""
