"""Human raters: sheets out, agreement back."""
