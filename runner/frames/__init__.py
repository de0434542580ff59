"""cbtrun from Python: runs as data frames, studies checked and run. `import cbtrun` has the public names."""
