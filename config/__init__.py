"""Settings and wiring; imported by nobody below it."""
