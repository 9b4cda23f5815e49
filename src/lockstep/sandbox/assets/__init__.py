"""The pages' stylesheet and script, served by the sandbox itself."""
