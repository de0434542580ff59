"""Cards of what a run is made of and leaves behind: models, corpora, personas, rubrics. What nobody stated is told as that."""
