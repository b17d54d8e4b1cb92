"""Cinder v3: volumes, snapshots, types, attachments, quotas, limits and services."""
