"""Files as people have them: what format they are of, the mapping that reads them, and a study that runs on them."""
