"""Settings pages of what the company's clients and contacts choose from: lists and tags (B1)."""
