"""Applies `migrations/*.sql`, in the order of their names, each in a transaction.

What was applied stands in `marginalia.schema_migrations`, beside Supabase's own table: a version that
`supabase db push` has applied counts as applied.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

from shared.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Error

    Connection = AsyncConnection[Any]

_FILE_NAME = re.compile(r"(?P<version>\d{14})_\w+\.sql")
_LOCK = 6014_0001  # an advisory lock's number, ours by convention
# Ours last: where both know a version, ours has the checksum.
_RECORDS: Mapping[str, LiteralString] = {
    "supabase_migrations.schema_migrations": (
        "select version, null from supabase_migrations.schema_migrations"
    ),
    "marginalia.schema_migrations": "select version, checksum from marginalia.schema_migrations",
}
_LEAST_SERVER = 15
_LEAST_VECTOR = (0, 7)

_OWN_TABLE: LiteralString = """
create schema if not exists marginalia;
create table if not exists marginalia.schema_migrations (
  version text primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: str  # YYYYMMDDHHMMSS
    name: str  # the file's
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256, hexadecimal, of the text with newlines as \\n."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_dir() -> Path:
    """Beside this module in an installed wheel, else at the root of the checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "migrations"


def read_migrations(directory: Path | None = None) -> list[Migration]:
    """All migrations, oldest first. Raises ValueError for a file that is named otherwise."""
    found = []
    for path in sorted((directory or migrations_dir()).glob("*.sql")):
        name = _FILE_NAME.fullmatch(path.name)
        if name is None:
            raise ValueError(f"{path.name}: a migration is named YYYYMMDDHHMMSS_name.sql")
        found.append(Migration(name["version"], path.name, path.read_text(encoding="utf-8")))
    return found


async def migrate(dsn: str, *, directory: Path | None = None) -> list[str]:
    """Apply what is pending and give its files' names. Safe when several start at once: one applies.

    Raises ConfigurationError for what the server lacks or refuses and for an applied file that was
    edited, StoreUnavailable when it cannot be reached or goes away.
    """
    migrations = read_migrations(directory)
    async with _connected(dsn) as connection:
        with _told("the migrations cannot be looked up"):
            await _check_server(connection)
            await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
            await _ensure_own_table(connection)
            applied = await _applied(connection)
        names = []
        for migration in _pending(migrations, applied):
            with _told(migration.name):
                await _apply(connection, migration)
            names.append(migration.name)
        with _told("the roles cannot be looked up"):
            await _check_roles(connection)
        return names


async def pending(dsn: str, *, directory: Path | None = None) -> list[str]:
    """The names of the files that `migrate` would apply. Raises as `migrate` does."""
    async with _connected(dsn) as connection:
        with _told("the migrations cannot be looked up"):
            applied = await _applied(connection)
        return [migration.name for migration in _pending(read_migrations(directory), applied)]


def _pending(migrations: Sequence[Migration], applied: dict[str, str | None]) -> list[Migration]:
    for migration in migrations:
        if applied.get(migration.version) not in (None, migration.checksum):
            raise ConfigurationError(
                "DATABASE_URL",
                f"migration {migration.name} was edited after this database had applied it; "
                "restore the file and put the change into a new one",
            )
    return [migration for migration in migrations if migration.version not in applied]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    from psycopg import AsyncConnection, OperationalError

    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, prepare_threshold=None, connect_timeout=10, application_name="marginalia"
        )
    except OperationalError as error:
        # libpq's reason: it names host, user and database, not the password
        raise StoreUnavailable(f"The database cannot be reached: {' '.join(str(error).split())}") from error
    async with connection:
        yield connection


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The database's errors as ours: StoreUnavailable where it went away, else ConfigurationError."""
    from psycopg import Error, OperationalError

    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(f"{what}: the database broke off: {_reason(error)}") from error
    except Error as error:
        raise ConfigurationError("DATABASE_URL", f"{what}: {_reason(error)}") from error


def _reason(error: Error) -> str:
    facts = " ".join(filter(None, (error.diag.message_primary, error.diag.message_hint)))
    return facts or " ".join(str(error).split())


async def _check_server(connection: Connection) -> None:
    check_version(connection.info.server_version)
    cursor = await connection.execute(
        """
        select
          coalesce(installed.extversion, available.default_version),
          installed.extnamespace::regnamespace::text
        from pg_catalog.pg_available_extensions as available
        left join pg_catalog.pg_extension as installed on installed.extname = available.name
        where available.name = 'vector'
        """
    )
    row = await cursor.fetchone()
    if row is None:
        raise ConfigurationError(
            "DATABASE_URL", "the server lacks pgvector (extension `vector`), 0.7 or newer; install it there"
        )
    check_vector(*row)


def check_version(found: int) -> None:
    """`found` as libpq gives it: 180004 is 18.4. Raises ConfigurationError."""
    if found // 10_000 < _LEAST_SERVER:
        raise ConfigurationError(
            "DATABASE_URL", f"the server is PostgreSQL {found // 10_000}; needed is {_LEAST_SERVER} or newer"
        )


def check_vector(version: str, schema: str | None) -> None:
    """`schema` None: not installed yet. Raises ConfigurationError."""
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < _LEAST_VECTOR:
        raise ConfigurationError(
            "DATABASE_URL",
            f"pgvector is {version}; needed is 0.7 or newer (alter extension vector update)",
        )
    if schema not in (None, "public", "extensions"):
        raise ConfigurationError(
            "DATABASE_URL",
            f"pgvector is in schema {schema}; needed is public or extensions "
            "(alter extension vector set schema extensions)",
        )


async def _check_roles(connection: Connection) -> None:
    """Every request takes on one of these."""
    privilege = "SET" if connection.info.server_version >= 160_000 else "MEMBER"
    cursor = await connection.execute(
        "select current_user, array_agg(role) from unnest(array['authenticated', 'service_role']) as role "
        "where not pg_has_role(current_user, role, %s)",
        (privilege,),
    )
    row = await cursor.fetchone()
    if row is not None and row[1]:
        missing = ", ".join(row[1])
        raise ConfigurationError(
            "DATABASE_URL",
            f"{row[0]} may not take on {missing}; as a superuser: grant {missing} to {row[0]}",
        )


async def _ensure_own_table(connection: Connection) -> None:
    cursor = await connection.execute("select to_regclass('marginalia.schema_migrations') is null")
    if (await cursor.fetchone()) == (True,):
        await connection.execute(_OWN_TABLE)


async def _applied(connection: Connection) -> dict[str, str | None]:
    """Checksums by version; None where Supabase's tool applied it, which records none."""
    applied: dict[str, str | None] = {}
    for table, query in _RECORDS.items():
        cursor = await connection.execute("select to_regclass(%s) is not null", (table,))
        if (await cursor.fetchone()) == (True,):
            applied.update(await (await connection.execute(query)).fetchall())
    return applied


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql.encode())
        await connection.execute(
            "insert into marginalia.schema_migrations (version, name, checksum) values (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )
