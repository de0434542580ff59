"""Plugins of ours that no study names: every command may ask them."""
