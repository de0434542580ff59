"""Shipped studies and what they refer to."""
