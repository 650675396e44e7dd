"""Reading and writing of files: atomic, reproducible to the byte, and clear about what is missing or damaged."""
