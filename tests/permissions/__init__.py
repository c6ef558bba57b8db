"""The table of every address, method and role, by noun; tests/test_permissions.py holds the program to it."""
