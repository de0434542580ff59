"""Models over the network."""
