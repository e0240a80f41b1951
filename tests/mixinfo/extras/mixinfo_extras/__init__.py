"""Parts that another package adds, one file each."""
