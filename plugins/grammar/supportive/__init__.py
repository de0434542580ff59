"""Words of the therapist, register supportive: rule -> templates."""
