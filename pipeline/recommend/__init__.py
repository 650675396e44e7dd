"""Tags for new photos: a folder that holds all that is needed, and the recommender that it becomes."""
