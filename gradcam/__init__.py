"""What classifiers look at: Grad-CAM maps and their sums."""
