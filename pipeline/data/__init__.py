"""The data that rooms exchange: columns, vocabularies, photos and their shards."""
