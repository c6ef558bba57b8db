"""What untrusted text is made of: Markdown, code, formulas, and characters that don't show. Knows no Django."""
