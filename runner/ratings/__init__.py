"""Rubrics, what raters are asked, and what becomes of their answers."""
