"""Words of the therapist, register cbt: rule -> templates."""
