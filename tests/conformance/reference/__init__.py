"""The operations of OpenStack's API reference, one file for each service, and the program that reads them out of the
services' sources.
"""
