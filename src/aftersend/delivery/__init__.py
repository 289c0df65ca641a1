"""Sending: recipients in, a delivery made, analysed, published and handed to a mail server."""
