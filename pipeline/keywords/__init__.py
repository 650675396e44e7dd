"""Keywords in photos and their sidecars: read in every form, and written so that each write can be undone."""
