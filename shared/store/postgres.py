"""The transport over psycopg: an embedded server or DATABASE_URL.

A call is one round trip: role, claims and function go out together in a pipeline. Outside BEGIN, what
is pipelined up to its Sync is one transaction (PostgreSQL's manual, "Message Flow", "Pipelining"), so
that `set_config(…, true)` holds for the function and for nothing after it. Nothing is prepared on the
server, so that poolers that share connections between transactions may stand in between.
"""

from __future__ import annotations

import asyncio
import json
import select
from collections.abc import Mapping
from typing import TYPE_CHECKING, LiteralString

from pydantic_core import to_json

from shared.errors import ApiError, Forbidden, StoreUnavailable, Unprocessable
from shared.store.records import Row
from shared.store.store import NOT_MIGRATED, JsonArgument
from shared.types import Caller, Json

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Error
    from psycopg_pool import AsyncConnectionPool

    Connection = AsyncConnection[Row]

_AS_CALLER: LiteralString = (
    "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true), "
    "set_config('statement_timeout', %s, true)"
)
# Asked again when the connection broke under them: they change nothing.
_READS = frozenset(
    {
        "get_document",
        "list_documents",
        "embedded_text_hashes",
        "search_document_chunks",
        "read_document_chunks",
        "usage_summary",
        "schema_version",
    }
)


class PostgresTransport:
    """Times in seconds: `connection_timeout` to get a connection, `statement_timeout` for a call."""

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 10,
        connection_timeout: float = 5.0,
        statement_timeout: float = 30.0,
    ) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._connection_timeout = connection_timeout
        self._statement_timeout = statement_timeout
        self._queries: dict[tuple[str, ...], bytes] = {}
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()

    async def call(self, caller: Caller, function: str, arguments: Mapping[str, object]) -> list[Row]:
        import psycopg

        attempts = 2 if function in _READS else 1
        while True:
            attempts -= 1
            try:
                return await self._call(caller, function, arguments)
            except TimeoutError as error:
                raise StoreUnavailable("The database does not answer") from error
            except UnicodeEncodeError as error:
                raise Unprocessable("The text holds half of a surrogate pair") from error
            except psycopg.Error as error:
                if attempts and _is_broken(error):
                    continue
                known = _api_error(error)
                if known is None:
                    raise
                raise known from error

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def _call(self, caller: Caller, function: str, arguments: Mapping[str, object]) -> list[Row]:
        pool = self._pool or await self._open()
        values = {name: _adapted(value) for name, value in arguments.items()}
        query = self._query(function, arguments)
        preamble = (caller.role, _claims(caller), str(round(self._statement_timeout * 1000)))
        async with asyncio.timeout(self._connection_timeout + self._statement_timeout + 1):
            connection = await self._live_connection(pool)
            try:
                async with connection.pipeline():
                    await connection.execute(_AS_CALLER, preamble)
                    cursor = await connection.execute(query, values, binary=True)
                return await cursor.fetchall()
            finally:
                await pool.putconn(connection)

    async def _live_connection(self, pool: AsyncConnectionPool[Connection]) -> Connection:
        """One whose server has not hung up. After a restart all idle ones are dead: each costs no wait."""
        while True:
            connection = await pool.getconn()
            if not _hung_up(connection):
                return connection
            await pool.putconn(connection)

    async def _open(self) -> AsyncConnectionPool[Connection]:
        from psycopg import AsyncConnection
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        async with self._opening:
            if self._pool is None:
                pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
                    self._dsn,
                    connection_class=AsyncConnection[Row],
                    kwargs={
                        "autocommit": True,
                        "row_factory": dict_row,
                        "prepare_threshold": None,
                        "application_name": "marginalia",
                        "connect_timeout": max(2, round(self._connection_timeout)),
                        "keepalives_idle": 30,
                    },
                    min_size=0,
                    max_size=self._pool_size,
                    timeout=self._connection_timeout,
                    # short, so that a database that is back is found at once
                    reconnect_timeout=1.0,
                    configure=_register_vectors,
                    open=False,
                )
                await pool.open()
                self._pool = pool
            return self._pool

    def _query(self, function: str, arguments: Mapping[str, object]) -> bytes:
        key = (function, *arguments)
        if key not in self._queries:
            self._queries[key] = _call_statement(function, tuple(arguments))
        return self._queries[key]


def _call_statement(function: str, names: tuple[str, ...]) -> bytes:
    from psycopg import sql

    arguments = [sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in names]
    statement = sql.SQL("select * from {}({})").format(
        sql.Identifier("public", function), sql.SQL(", ").join(arguments)
    )
    return statement.as_bytes()


def _claims(caller: Caller) -> str:
    """A caller without claims is one of ours: its tenant stands in for them."""
    ours = {"role": caller.role, "app_metadata": {"tenant_id": caller.tenant_id}}
    return json.dumps(dict(caller.claims) or ours)


def _json(value: Json) -> bytes | str:
    """The standard encoder also writes halves of surrogate pairs, which the database then refuses by name."""
    try:
        return to_json(value)
    except ValueError:
        return json.dumps(value)


def _adapted(value: object) -> object:
    from psycopg.types.json import Jsonb

    return Jsonb(value.value, _json) if isinstance(value, JsonArgument) else value


_VECTOR_TYPE: LiteralString = """
select type.oid, type.typarray
from pg_catalog.pg_extension as extension
join pg_catalog.pg_type as type
  on type.typnamespace = extension.extnamespace and type.typname = extension.extname
where extension.extname = 'vector'
"""


async def _register_vectors(connection: Connection) -> None:
    """pgvector's own registration asks four times, and looks on the search path only."""
    from pgvector.psycopg.vector import register_vector_info
    from psycopg.types import TypeInfo

    cursor = await connection.execute(_VECTOR_TYPE)
    if (row := await cursor.fetchone()) is not None:
        register_vector_info(connection, TypeInfo("vector", row["oid"], row["typarray"]))


def _hung_up(connection: Connection) -> bool:
    """Whether the server has closed an idle connection, without asking it: then there is something to
    read, at last the end of the stream."""
    from psycopg import OperationalError

    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()
    except OperationalError:
        return True
    return False


def _is_broken(error: Error) -> bool:
    """Whether the connection broke, rather than the call."""
    from psycopg import OperationalError
    from psycopg_pool import PoolClosed, PoolTimeout

    return (
        isinstance(error, OperationalError)
        and not isinstance(error, PoolTimeout | PoolClosed)
        and (error.sqlstate is None or error.sqlstate.startswith(("08", "57P")))
    )


def _api_error(error: Error) -> ApiError | None:
    """What a caller sees, by SQLSTATE (PostgreSQL, appendix A); None for a mistake of ours."""
    from psycopg import DataError, IntegrityError, OperationalError, errors

    match error:
        case errors.QueryCanceled():
            return StoreUnavailable("The database took too long")
        # the last: a role that does not exist
        case errors.UndefinedFunction() | errors.UndefinedTable() | errors.InvalidParameterValue():
            return StoreUnavailable(NOT_MIGRATED)
        case errors.InsufficientPrivilege():
            return Forbidden("The caller may not do this to the database")
        case DataError() | IntegrityError() | errors.ProgramLimitExceeded():
            return Unprocessable(f"The database cannot take this: {error.diag.message_primary or error}")
        case OperationalError():
            return StoreUnavailable("The database cannot be reached")
    return None
