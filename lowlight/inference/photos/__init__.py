"""Photographs: reading, enhancing, writing."""
