"""Broken input of every kind into the three sources: no crash, no hang, nothing good lost, each bad one accounted for."""
