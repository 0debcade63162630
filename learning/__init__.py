"""What is learnt from a purpose's models, without names of anybody: weights of a ranking, points of a scorecard."""
