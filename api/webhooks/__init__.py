"""Alerts that leave for a firm's CRM: Standard Webhooks signatures over CloudEvents."""
