"""What a rating sheet is made from: a page, its style and its script."""
