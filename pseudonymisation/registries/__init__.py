"""What people state, checked against public registers (R3): offline, and with Enhetsregisteret where it may be asked."""
