"""Sharing a trained model: its folder with a model card, handed to the Hugging Face hub."""
