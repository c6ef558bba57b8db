"""The API of labeling: campaigns and what is in them, and rating by program."""
