"""One module per command; each has ``run(arguments) -> exit code`` and loads what it needs when it runs."""
