"""What a sweep will cost, before it runs: FLOPs, tokens, hours, bytes."""
