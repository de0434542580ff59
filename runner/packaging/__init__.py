"""A run as one archive that anybody can check: what goes in, how it is described, and how every number is derived again."""
