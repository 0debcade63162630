"""What leaves the warehouse: read-only copies for a purpose's readers, and flags and receipts back to the app."""
