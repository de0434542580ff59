"""`grammar`: an author of CBT courses that needs no model."""
