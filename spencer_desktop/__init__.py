"""SPENCER Desktop: ask your own code a question, on your own machine."""

__version__ = "0.1.0"
