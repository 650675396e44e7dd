"""This checkout's frame: parameters, paths, options, and errors in terms of keys and flags."""
