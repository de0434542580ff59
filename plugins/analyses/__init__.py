"""The declared designs of an analysis."""
