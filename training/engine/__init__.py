"""The training engine: `python -m training.engine RUN_DIR` (files in, files out, no Django)."""
