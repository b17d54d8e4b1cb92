"""Tests of kilonode.stack."""
