"""What `cbtrun new` writes, as templates."""
