"""Keywords where photo managers read them: in sidecars and in photos, each write noted so that it can be undone."""
