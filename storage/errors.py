"""The one base of errors that are meant to be read by whoever runs the system."""


class LeiiError(Exception):
    """Bad input or a refused step: says what, where and what to do, and never shows a person's data."""
