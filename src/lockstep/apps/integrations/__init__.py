"""What other systems come in by: access tokens, their scopes, allowance and idempotent answers."""
