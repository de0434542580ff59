"""How much a model thinks: one vocabulary for all plugins of models."""
