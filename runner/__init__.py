"""The engine: reads a study, runs its stages, keeps what was paid for."""

from cbtrun.import_path import leave_current_folder

leave_current_folder()  # before anything else is imported
