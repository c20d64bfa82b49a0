"""Galleries: many methods over many photographs on one page, and the ranking of votes made there."""
