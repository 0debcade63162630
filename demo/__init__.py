"""The made-up marketplace: its world, an embedded PostgreSQL that holds it and a double of Stripe's API."""
