"""The engine: reads a study, runs its stages, keeps what was paid for."""
