"""Keys and addresses: which key may go to which host, by which way, and that none is ever shown."""
