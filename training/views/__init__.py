"""Pages that see the whole loop: a campaign, its runs and models, and its snapshots."""
