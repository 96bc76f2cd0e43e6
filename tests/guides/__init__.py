"""The tutorial and the how-to pages, played as a reader plays them."""
