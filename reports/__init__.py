"""The report: published values, ours beside them, verdicts, and the page that shows them."""
