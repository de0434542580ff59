"""Who is treated: personas drawn, written or read."""
