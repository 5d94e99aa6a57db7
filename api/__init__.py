"""HTTP for programs: JSON with bearer keys, and the webhooks that leave."""
