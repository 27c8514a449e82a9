"""Reviews: where they come from, and how they are stored, streamed and divided."""
