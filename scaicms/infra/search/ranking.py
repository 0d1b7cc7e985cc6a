"""The statement of a search: which documents are ranked, and their page.

However much there is, a bounded number of documents is read: of those that the index finds the newest, and of those
about which the index must not decide the newest there are. What lies beyond is said by `is_cut`.
"""

from collections.abc import Sequence
from dataclasses import replace

from scaicms.infra.search.port import SearchReach, SearchRequest, SearchRule

MAX_RANKED = 1_000
"""Documents whose words are read: the newest that the index finds."""
MAX_TITLES = 500
"""Where there are more: beside them the newest that the index finds by their titles."""
MAX_RANKED_BYTES = 8 * 1024 * 1024
"""All of their words, as they are stored."""
MAX_READ_BYTES = {False: 128 * 1024, True: 1024 * 1024}
MAX_READ = {False: 200, True: 2_000}
"""Documents whose words are gathered from their fields while searching, by whether the caller has an account."""
MAX_WORDS = 32
MAX_NODES = 2 * MAX_WORDS - 1
"""Words and the operators between them."""
MAX_HIGHLIGHTED_CHARACTERS = 400_000
"""Of all texts of a page."""
MARK, UNMARK = "\ue000", "\ue001"

WEIGHTS = "{{0.1, 0.2, 0.4, 1.0}}"
"""Of the body, terms, summary and title."""
NEAR_NODES = 7
"""Up to four words: how near they stand to each other counts. That takes too long for more."""

# 1: divides by the logarithm of the length, so that long posts do not win by length alone.
_STATEMENT = f"""
WITH asked AS MATERIALIZED (
    SELECT q.query, numnode(q.query) AS nodes FROM (SELECT websearch_to_tsquery($1::regconfig, $2) AS query) q),
sources AS MATERIALIZED ({{sources}}),
readable AS MATERIALIZED (
    SELECT s.id, s.item_id, s.type_key, s.words, sum(pg_column_size(s.words)) OVER newest AS bytes{{columns}}
    FROM (SELECT u.id, bool_and(o.is_read) AS is_read FROM sources o CROSS JOIN unnest(o.ids) AS u(id) GROUP BY u.id) c
    JOIN search_documents s ON s.id = c.id
    JOIN documents d ON d.item_id = s.item_id AND d.locale = s.locale {{joined}}
    WINDOW newest AS (ORDER BY s.id DESC)),
hits AS MATERIALIZED (
    SELECT r.id, r.item_id, {{whole}} AS whole,
           CASE WHEN asked.nodes <= {NEAR_NODES} THEN ts_rank_cd('{WEIGHTS}', {{words}}, asked.query, 1)
                ELSE ts_rank('{WEIGHTS}', {{words}}, asked.query, 1) END AS score
    FROM readable r CROSS JOIN asked {{within}}
    WHERE {{bounds}} AND asked.nodes <= {MAX_NODES} AND {{words}} @@ asked.query),
page AS (SELECT * FROM hits ORDER BY score DESC, item_id DESC LIMIT $5 OFFSET $6)
SELECT asked.nodes, (SELECT count(*) FROM hits) AS total,
       EXISTS (SELECT FROM sources WHERE is_cut) OR EXISTS (SELECT FROM readable r WHERE NOT ({{bounds}})) AS is_cut,
       p.item_id, p.score,
       CASE WHEN $7 AND p.whole THEN ts_headline($1::regconfig, left(s.title, $8), asked.query,
            'StartSel={MARK}, StopSel={UNMARK}, HighlightAll=true') END AS title,
       CASE WHEN $7 AND p.whole THEN ts_headline($1::regconfig, left(s.body, $8), asked.query,
            'StartSel={MARK}, StopSel={UNMARK}, MaxFragments=2, MaxWords=25, MinWords=10') END AS body
FROM asked LEFT JOIN (page p JOIN search_documents s ON s.id = p.id) ON true
ORDER BY p.score DESC, p.item_id DESC
"""
_INDEXED = f"""
    SELECT any_place.ids[:{MAX_RANKED}] || titles.ids AS ids, false AS is_read,
           cardinality(any_place.ids) > {MAX_RANKED} AS is_cut
    FROM (SELECT search_words_only(query) AS query FROM asked WHERE nodes BETWEEN 1 AND {MAX_NODES}) q
    CROSS JOIN LATERAL (
        SELECT search_candidates($3, $4, {{types}}, q.query, false, {MAX_RANKED + 1}) AS ids OFFSET 0) any_place
    CROSS JOIN LATERAL (
        SELECT CASE WHEN cardinality(any_place.ids) > {MAX_RANKED} AND q.query IS NOT NULL
               THEN search_candidates($3, $4, {{types}}, q.query, true, {MAX_TITLES}) END AS ids OFFSET 0) titles"""
_NEWEST = """
    SELECT c.ids[:{most}] AS ids, true AS is_read, cardinality(c.ids) > {most} AS is_cut
    FROM (SELECT search_candidates($3, $4, {types}, NULL, false, {most} + 1) AS ids OFFSET 0) c"""
_OWN = """
    SELECT array_agg(s.id) AS ids, {is_read} AS is_read, (SELECT count(*) FROM own) > {most} AS is_cut
    FROM (SELECT id FROM own ORDER BY id DESC LIMIT {most}) o
    JOIN search_documents s ON s.item_id = o.id AND s.locale = $4"""
_OWNED = """
WITH own AS MATERIALIZED (
    SELECT i.id FROM items i WHERE i.site_id = $3 AND i.created_by = {owner} ORDER BY i.id DESC LIMIT {most} + 1)"""
# Which rules fit a document, and from them its words: those of the index where a rule gives all fields, else those of
# the fields within reach alone. The index must not decide about the latter, not even by `-word`: that would tell what
# stands in fields which the caller may not read.
_WITHIN = """CROSS JOIN LATERAL (
        SELECT bool_or(g.all_fields) AS whole,
               CASE WHEN bool_or(g.all_fields) THEN r.words ELSE jsonb_to_tsvector($1::regconfig, (
                   SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(r.data) f
                   WHERE f.key = ANY(string_to_array(string_agg(g.fields, ','), ','))), '["string"]') END AS words
        FROM unnest({types}::text[], {whole}::boolean[], {fields}::text[], {own}::boolean[])
             AS g(types, all_fields, fields, own)
        WHERE (g.types IS NULL OR r.type_key = ANY(string_to_array(g.types, ',')))
          AND (NOT g.own OR r.created_by = {owner})) reach"""
# The arguments of every statement have types that PostgreSQL can tell.
_NOTHING = "SELECT '{}'::bigint[] AS ids, false AS is_read, $3::uuid IS NULL AND $4::text IS NULL AS is_cut"
_READ_COLUMNS = """, i.created_by, d.data,
    sum(CASE WHEN c.is_read THEN pg_column_size(d.data) ELSE 0 END) OVER newest AS data_bytes"""
_WORD_BYTES = f"r.bytes <= {MAX_RANKED_BYTES}"


def statement(configuration: str, request: SearchRequest) -> tuple[str, list[object]]:
    """SQL with its arguments. It answers at least one row, with `nodes`, `total` and `is_cut`."""
    characters = MAX_HIGHLIGHTED_CHARACTERS // request.limit
    arguments: list[object] = [
        configuration,
        request.words,
        request.site_id,
        request.locale,
        request.limit,
        request.offset,
        request.highlight,
        characters,
    ]
    if request.reach is None:
        types = None if request.type_key is None else [request.type_key]
        source = _INDEXED.format(types=f"{_bind(arguments, types)}::text[]")
        parts = {"columns": "", "joined": "", "whole": "true", "words": "r.words", "within": "", "bounds": _WORD_BYTES}
        return _STATEMENT.format(sources=source, **parts), arguments
    return _narrowed(arguments, request, request.reach)


def _narrowed(arguments: list[object], request: SearchRequest, reach: SearchReach) -> tuple[str, list[object]]:
    type_key, most = request.type_key, MAX_READ[request.has_account]
    rules = [rule for rule in (_about(rule, type_key) for rule in reach.rules) if rule is not None]
    owner = f"{_bind(arguments, reach.owner_id)}::uuid"
    indexed = [rule for rule in rules if rule.fields is None and not rule.own_only]
    read = [rule for rule in rules if rule.fields is not None and not rule.own_only]
    sources = [
        template.format(types=f"{_bind(arguments, _types_of(some))}::text[]", most=most)
        for template, some in ((_INDEXED, indexed), (_NEWEST, read))
        if some
    ]
    owned = _OWNED.format(owner=owner, most=most) if any(rule.own_only for rule in rules) else ""
    if owned:
        is_read = any(rule.own_only and rule.fields is not None for rule in rules)
        sources.append(_OWN.format(most=most, is_read=is_read))
    within = _WITHIN.format(
        types=_bind(arguments, [None if rule.type_keys is None else ",".join(rule.type_keys) for rule in rules]),
        whole=_bind(arguments, [rule.fields is None for rule in rules]),
        fields=_bind(arguments, [",".join(rule.fields or ()) for rule in rules]),
        own=_bind(arguments, [rule.own_only for rule in rules]),
        owner=owner,
    )
    sql = _STATEMENT.format(
        sources=owned + (" UNION ALL ".join(sources) or _NOTHING),
        columns=_READ_COLUMNS,
        joined="JOIN items i ON i.id = s.item_id",
        whole="reach.whole",
        words="reach.words",
        within=within,
        bounds=f"{_WORD_BYTES} AND r.data_bytes <= {MAX_READ_BYTES[request.has_account]}",
    )
    return sql, arguments


def _about(rule: SearchRule, type_key: str | None) -> SearchRule | None:
    """The rule as far as it is about documents of this type (None: of all types)."""
    if type_key is None:
        return rule
    if rule.type_keys is not None and type_key not in rule.type_keys:
        return None
    return replace(rule, type_keys=frozenset((type_key,)))


def _types_of(rules: Sequence[SearchRule]) -> list[str] | None:
    """Keys of the types that these rules are about, None for all. Keys hold no commas (KEY_PATTERN)."""
    found = set[str]()
    for rule in rules:
        if rule.type_keys is None:
            return None
        found |= rule.type_keys
    return sorted(found)


def _bind(arguments: list[object], value: object) -> str:
    arguments.append(value)
    return f"${len(arguments)}"
