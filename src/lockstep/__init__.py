"""A book of clients and contacts that keeps a Mailchimp audience in step with it."""

__version__ = "0.1.0"
