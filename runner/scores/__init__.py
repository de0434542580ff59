"""One value for each session and outcome of a rating set, made once: what analyses, results and reports read."""
