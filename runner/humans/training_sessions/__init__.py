"""Invented sessions to train on, with scores and reasons, one a rubric."""
