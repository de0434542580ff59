"""The methods: plain functions from numbers to estimates, intervals, effect sizes and tests.

SciPy has most of them, statsmodels some; what neither has, or what no run should load them for, stands here with its source.
"""
