"""From the sources (app database, Stripe, tracking events) into landing, as encrypted batches."""
