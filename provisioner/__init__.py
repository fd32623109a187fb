"""Plan and apply for API credentials and prepaid credits."""

__version__ = "0.1.0"
