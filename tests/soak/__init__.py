"""The endurance run: a real server under an even load for a long time, and whether it stays as it was."""
