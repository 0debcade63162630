"""Pages for the product team, the fraud desk and the privacy officer, each on what its readers may see."""
