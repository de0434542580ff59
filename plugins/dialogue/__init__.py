"""Sessions: a therapist and a patient, turn by turn."""
