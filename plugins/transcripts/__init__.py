"""Transcripts that exist already."""
