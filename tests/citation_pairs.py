"""Claims with the passage each cites, labelled by hand: does the passage say it?

FOUND are false ones that once got a citation in benchmarks/citations.py, told again about other things.

The rules were tuned on DEVELOPMENT. UNSEEN was written afterwards, about other texts: at its first run 9 of
14 true claims kept their citation and 1 of 18 false ones got one, before the rules of negation were mended.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    passage: str
    claim: str
    supported: bool


OWNERSHIP = (
    "Each value in Rust has an owner. There can only be one owner at a time. When the owner "
    "goes out of scope, "
    "the value will be dropped."
)
CACHE = (
    "Responses are cached for 30 minutes. The cache is cleared when the configuration changes. "
    "Errors are never cached. A cached response costs nothing."
)
LIMITS = (
    "Free accounts may send 100 requests a minute, and paid accounts may send 2,000 requests a minute. "
    "Above the limit the gateway answers with status 429 and a Retry-After header."
)
CURIE = (
    "Marie Curie was born in Warsaw in 1867. She won the Nobel Prize in Physics in 1903 with "
    "Pierre Curie and "
    "Henri Becquerel. In 1911 she won the Nobel Prize in Chemistry."
)
BACKUP = (
    "Backups run every night at 02:30. They are kept for 14 days and then deleted. The backup "
    "may slow down the "
    "database. Alice pays Bob for the storage. The tool converts JSON to YAML."
)
INDEX = (
    "The index uses HNSW for searches over many documents. A search inside one document scans its chunks "
    "exactly, without an index. Queries are embedded with the same model as the chunks."
)

RETRY = (
    "The gateway retries failed requests up to three times with exponential backoff and full jitter. "
    "Errors are written to a log. Results are kept for 14 days by the worker."
)

DEVELOPMENT = (
    Pair(OWNERSHIP, "Each value in Rust has an owner.", True),
    Pair(OWNERSHIP, "In Rust, each value has an owner.", True),
    Pair(OWNERSHIP, "There can be only one owner at a time.", True),
    Pair(OWNERSHIP, "A value is dropped when its owner goes out of scope.", True),
    Pair(
        OWNERSHIP, "Every Rust value has an owner, and it is dropped when the owner goes out of scope.", True
    ),
    Pair(OWNERSHIP, "There can be two owners at a time.", False),
    Pair(OWNERSHIP, "A value is not dropped when its owner goes out of scope.", False),
    Pair(OWNERSHIP, "Each value in Python has an owner.", False),
    Pair(OWNERSHIP, "Rust uses a garbage collector to free values.", False),
    Pair(CACHE, "Responses are cached for 30 minutes.", True),
    Pair(CACHE, "The cache is cleared whenever the configuration changes.", True),
    Pair(CACHE, "A change of the configuration clears the cache.", True),
    Pair(CACHE, "Errors are not cached.", True),
    Pair(CACHE, "Errors are cached.", False),
    Pair(CACHE, "Responses are cached for 3 minutes.", False),
    Pair(CACHE, "Responses are never cached.", False),
    Pair(CACHE, "The cache is cleared when the server restarts.", False),
    Pair(CACHE, "Embeddings are cached for 30 minutes.", False),
    Pair(LIMITS, "Free accounts may send 100 requests a minute.", True),
    Pair(LIMITS, "Paid accounts may send 2000 requests per minute.", True),
    Pair(LIMITS, "Above the limit, the gateway answers with 429 and a Retry-After header.", True),
    Pair(LIMITS, "Free accounts may send 2,000 requests a minute.", False),
    Pair(LIMITS, "Paid accounts may send 100 requests a minute.", False),
    Pair(LIMITS, "Below the limit the gateway answers with status 429.", False),
    Pair(LIMITS, "Above the limit the gateway answers with status 503.", False),
    Pair(LIMITS, "Only paid accounts may send requests.", False),
    Pair(CURIE, "Marie Curie was born in Warsaw in 1867.", True),
    Pair(CURIE, "Curie was born in 1867 in Warsaw.", True),
    Pair(CURIE, "In 1911 she won the Nobel Prize in Chemistry.", True),
    Pair(CURIE, "She shared the Nobel Prize in Physics with Pierre Curie and Henri Becquerel in 1903.", True),
    Pair(CURIE, "Marie Curie was born in Paris in 1867.", False),
    Pair(CURIE, "Pierre Curie was born in Warsaw in 1867.", False),
    Pair(CURIE, "She won the Nobel Prize in Chemistry in 1903.", False),
    Pair(CURIE, "In 1911 she won the Nobel Prize in Physics.", False),
    Pair(CURIE, "Marie Curie died in 1934.", False),
    Pair(BACKUP, "Backups are kept for 14 days.", True),
    Pair(BACKUP, "The backups run every night at 02:30 and are kept for 14 days.", True),
    Pair(BACKUP, "A backup may slow the database down.", True),
    Pair(BACKUP, "Backups are kept for 30 days.", False),
    Pair(BACKUP, "The backup slows down the database.", False),
    Pair(BACKUP, "Bob pays Alice for the storage.", False),
    Pair(BACKUP, "The tool converts YAML to JSON.", False),
    Pair(BACKUP, "The tool converts JSON to YAML.", True),
    Pair(BACKUP, "Backups run every day at 02:30.", False),
    Pair(INDEX, "A search over many documents uses HNSW.", True),
    Pair(INDEX, "A search inside one document scans that document's chunks exactly.", True),
    Pair(INDEX, "Queries and chunks are embedded with the same model.", True),
    Pair(INDEX, "Searches inside one document use HNSW.", False),
    Pair(INDEX, "Queries are embedded with a different model than the chunks.", False),
    Pair(
        RETRY, "Failed requests are retried up to three times with exponential backoff by the gateway.", True
    ),
    Pair(
        RETRY,
        "The gateway of Acme retries failed requests up to three times with exponential backoff.",
        False,
    ),
    Pair(
        RETRY,
        "Clients of the gateway retry failed requests up to three times with exponential backoff.",
        False,
    ),
    Pair(RETRY, "Errors of the worker are kept for 14 days.", False),
    Pair(INDEX, "The index uses IVFFlat for searches over many documents.", False),
)

DEPLOY = (
    "Deploys start from the main branch and take about four minutes. If the health check fails twice, the "
    "previous version is restored automatically. Secrets are read from the vault at start and "
    "are not written "
    "to disk. Rolling back by hand requires the role of an operator."
)
VOLCANO = (
    "Mount Etna is the tallest active volcano in Europe. It stands on the east coast of Sicily, between the "
    "cities of Messina and Catania, and was 3,357 metres high in 2021. Its eruptions are rarely dangerous to "
    "people, because the lava flows slowly."
)
EDITOR = (
    "Press Ctrl+S to save the file. The editor keeps the last 50 versions of each file for 90 "
    "days. Large files "
    "over 10 MB open in read-only mode. Themes can be changed in the settings, but plugins "
    "cannot change them."
)

UNSEEN = (
    Pair(DEPLOY, "A deploy from the main branch takes about four minutes.", True),
    Pair(DEPLOY, "The previous version is restored automatically if the health check fails twice.", True),
    Pair(DEPLOY, "Secrets are never written to disk.", True),
    Pair(DEPLOY, "Only operators can roll back by hand.", True),
    Pair(DEPLOY, "The vault provides the secrets at start.", True),
    Pair(DEPLOY, "Secrets are written to disk at start.", False),
    Pair(DEPLOY, "A deploy takes about ten minutes.", False),
    Pair(DEPLOY, "The previous version is restored automatically if the health check succeeds twice.", False),
    Pair(DEPLOY, "Deploys start from the release branch.", False),
    Pair(DEPLOY, "Secrets are read from environment variables.", False),
    Pair(DEPLOY, "Rolling back by hand requires no special role.", False),
    Pair(VOLCANO, "Mount Etna, on the east coast of Sicily, is Europe's tallest active volcano.", True),
    Pair(VOLCANO, "Etna was 3357 metres high in 2021.", True),
    Pair(VOLCANO, "It lies between Messina and Catania.", True),
    Pair(VOLCANO, "The eruptions are rarely dangerous because the lava flows slowly.", True),
    Pair(VOLCANO, "Mount Etna is the tallest active volcano in Asia.", False),
    Pair(VOLCANO, "Mount Etna stands on the west coast of Sicily.", False),
    Pair(VOLCANO, "Its eruptions are often dangerous to people.", False),
    Pair(VOLCANO, "Mount Etna was 2,021 metres high.", False),
    Pair(VOLCANO, "Vesuvius is the tallest active volcano in Europe.", False),
    Pair(VOLCANO, "The lava flows fast, so the eruptions are rarely dangerous.", False),
    Pair(EDITOR, "You save the file by pressing Ctrl+S.", True),
    Pair(EDITOR, "The last 50 versions of each file are kept for 90 days.", True),
    Pair(EDITOR, "Files over 10 MB open in read-only mode.", True),
    Pair(EDITOR, "Themes can be changed in the settings.", True),
    Pair(EDITOR, "Plugins cannot change themes.", True),
    Pair(EDITOR, "Plugins can change themes.", False),
    Pair(EDITOR, "The editor keeps the last 90 versions of each file.", False),
    Pair(EDITOR, "The last 50 versions are kept for 10 days.", False),
    Pair(EDITOR, "Files under 10 MB open in read-only mode.", False),
    Pair(EDITOR, "Press Ctrl+P to save the file.", False),
    Pair(EDITOR, "All files open in read-only mode.", False),
)

TREATY = (
    "In 1842 Norland ceded Westmark to the Republic, and many of its farmers soon left for the coast. "
    "Some historians have argued that the treaty may have caused the famine. Port Ellen is the largest "
    "town in the country and the second largest on the island. The Ferry Act of 1859, which the assembly "
    "passed, was signed by governor Ida Brandt."
)
ALUMNI = (
    "Well-known members include the chemist Tom Reyes, who worked in Lund, the writer Ana Okafor, the "
    "builder of the first salt bridge and prize winner Kurt Olsen, and the singer Mia Brandt."
)
PROOF = (
    "If the two classes are not equal, then the third is not equal to the first. The council is unable to "
    "pass laws on matters that are reserved. The battle of Aker led Queen Sif, who had long refused, to "
    "issue the edict of Tarn, which ended the tax on salt."
)

FOUND = (
    Pair(TREATY, "In 1842 Westmark ceded Norland to the Republic.", False),
    Pair(TREATY, "In 1842 Norland ceded Westmark to the Republic.", True),
    Pair(
        TREATY,
        "In 1842 Norland ceded Westmark to the Republic, many of its farmers soon left for the coast, "
        "and critics call it a failure.",
        False,
    ),
    Pair(TREATY, "All historians have argued that the treaty may have caused the famine.", False),
    Pair(TREATY, "Some historians have argued that the treaty caused the famine.", False),
    Pair(
        TREATY, "Port Ellen is the smallest town in the country and the second largest on the island.", False
    ),
    Pair(
        TREATY,
        "The Ferry Act of 1859, which the assembly passed, was signed by governor Ida Brandt, "
        "and was sold to a bank in 1842.",
        False,
    ),
    Pair(ALUMNI, "Tom Reyes built the first salt bridge.", False),
    Pair(PROOF, "If the two classes are equal, then the third is not equal to the first.", False),
    Pair(PROOF, "The council is not unable to pass laws on matters that are reserved.", False),
    Pair(PROOF, "Queen Sif ended the tax on salt.", False),
)
