"""Engines and trainings on machines of a Ray cluster that the user named. The driver alone writes, and holds what matters."""
