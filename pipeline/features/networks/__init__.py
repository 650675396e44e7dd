"""The networks that extract features, one package for each kind."""
