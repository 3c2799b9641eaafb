"""The ledger's rows as they stand in the database, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class LedgerRow:
    tenant_id: str
    request_id: str
    task: str
    provider: str
    model: str
    outcome: str
    cause: str
    own_key: bool
    streamed: bool
    estimated: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None
    first_token_ms: float | None
    duration_ms: float
    tokens_per_second: float | None

    @property
    def told(self) -> tuple[str, str, str]:
        """Who was asked, why, and how it ended."""
        return (self.provider, self.cause, self.outcome)

    @property
    def tokens(self) -> tuple[int, int]:
        return (self.input_tokens, self.output_tokens)

    @property
    def counted(self) -> bool:
        """Whether the provider said how many tokens it was."""
        return not self.estimated and self.tokens != (0, 0)


def ledger_rows(database_url: str) -> Sequence[LedgerRow]:
    """In the order in which the attempts began."""
    query = """
        select tenant_id::text, request_id, task, provider, model, outcome, cause, own_key, streamed,
          estimated, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_usd,
          first_token_ms, duration_ms, tokens_per_second
        from ai_usage order by started_at
    """
    with psycopg.connect(database_url) as connection:
        return connection.cursor(row_factory=class_row(LedgerRow)).execute(query).fetchall()
