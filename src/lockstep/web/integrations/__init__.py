"""The settings page for other systems: access tokens."""
