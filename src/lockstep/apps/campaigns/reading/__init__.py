"""Reading campaigns from Mailchimp into the database. Start at `reader.Reader`."""
