"""How far ratings of the same sessions agree: between raters, and between repeats of one rater.

statsmodels has weighted kappa; what no well-kept library under a permissive licence has stands here with its source.
"""
