"""The one room in which templates of strangers are read and filled in: plain values, a list of what is allowed, limits."""
