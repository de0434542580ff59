"""What stands around a model's `reply`: limits, retries, budgets, keys of the journal, secrets."""
