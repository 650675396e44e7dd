"""From a photo to a vector: extractors, extraction, and the feature store."""
