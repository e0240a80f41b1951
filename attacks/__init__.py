"""How robust classifiers are: Foolbox's attacks over perturbation sizes, and checks of what they say."""
