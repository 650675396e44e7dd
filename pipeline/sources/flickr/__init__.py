"""A polite client of Flickr's API and image host, and a crawl with a journal."""
