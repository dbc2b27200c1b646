"""What a sweep will run: its file, its axes and cases, its settings, the key of each run."""
