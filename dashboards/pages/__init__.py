"""The pages, one file for each place of the menu; the doors and the guides besides."""
