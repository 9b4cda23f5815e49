"""The book's pages: clients, contacts, import."""
