"""Shipped rubrics, one YAML file each."""
