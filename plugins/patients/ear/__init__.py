"""What a simulated patient recognises questions by."""
