"""Practices: ways of doing therapy besides CBT, each one YAML file."""
