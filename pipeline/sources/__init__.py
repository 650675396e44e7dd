"""Sources of posts and photos."""
