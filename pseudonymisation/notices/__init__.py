"""Notices to recipients (GDPR art. 19): made before the identifiers are forgotten, removed when they are handed over."""
