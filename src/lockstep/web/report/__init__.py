"""The Mailing List report, and saved views of any list."""
