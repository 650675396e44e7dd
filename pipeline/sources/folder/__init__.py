"""A folder of photos with keywords in them or beside them."""
