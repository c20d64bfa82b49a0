"""Sweeps: jobs that survive failures, summaries, Optuna studies that continue."""
