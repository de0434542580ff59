"""Words of the patient: rule -> templates."""
