"""The REST API (B7): other systems feed the book and read results back, through the services the pages use.

`application` puts it together; `routes` are doors that check, call one
service, and answer; `shapes` is what goes in and out.
"""
