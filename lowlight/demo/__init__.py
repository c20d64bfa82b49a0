"""The web page: uploads enhanced by several methods."""
