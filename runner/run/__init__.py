"""A run at work: what has to be done, in which order, and what is done already. Called, it runs a study: `cbtrun.run(study)`."""
