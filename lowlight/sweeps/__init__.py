"""Sweeps: fault-tolerant jobs, summaries, and resumable Optuna studies."""
