"""The made-up marketplace: who is in it, what they do, and how it goes on."""
