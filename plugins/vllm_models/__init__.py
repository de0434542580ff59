"""Models in vLLM's engine, on this machine's GPU."""
