"""HTTP, in one room: `session` sends, `limits` paces, `transport` builds the client. httpx is imported here only."""
