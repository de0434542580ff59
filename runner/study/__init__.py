"""A study's file: read, composed, checked."""
