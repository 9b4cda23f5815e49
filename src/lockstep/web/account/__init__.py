"""Settings of a person and of a company that have nothing to do with Mailchimp."""
