"""The extraction of features from photos: resumable, on one machine or a cluster."""
