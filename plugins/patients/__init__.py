"""`scripted-patient`: a patient that needs no model."""
