"""Sentences from templates, and the same words from the other chair."""
