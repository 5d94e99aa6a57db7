"""What people look at: pages, charts, the weekly mail."""
