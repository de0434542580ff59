"""The methods: plain functions from numbers to estimates, intervals, effect sizes and tests.

SciPy has most of them, statsmodels some; what neither has stands here with its source.
"""
