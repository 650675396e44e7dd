"""The fitting of models, and the choice of their settings."""
