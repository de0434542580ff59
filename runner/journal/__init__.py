"""The journal: every reply that was paid for."""
