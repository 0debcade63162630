"""What each figure is: one definition a metric, which pages, notebooks and `leii metrics` all take their SQL from."""
