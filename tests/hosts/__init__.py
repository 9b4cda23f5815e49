"""Several hosts over one PostgreSQL, as network namespaces of one machine; some are cut off, some die."""
