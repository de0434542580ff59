"""Reinforcement training watched: reward against witness, controls, what stops it, what it may claim."""
