"""The report: figures, findings and examples on one page."""
