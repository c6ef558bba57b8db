"""What untrusted text is made of: Markdown, code, formulas, characters that don't show. No Django."""
