"""`q=`: the items of a list that have these words, as they are at this moment.

The index of `/search` is fed by workers and so is behind: a list has to agree with its totals, cursors and filters,
and drafts are in no index. The words are looked for in the fields themselves, those that the caller reads in every row
of the list (docs/adr/0029).
"""

from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content.filters import Filters, Used
from scaicms.features.content.paths import read_text
from scaicms.features.content.query_tree import Clause, FilterError
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.infra.search.postgres import MAX_INDEXED_CHARACTERS, configuration

OPERATOR = "matches"
NESTED = ("component", "components", "blocks")
"""Their members have rules of their own about who reads and searches them: `/search` knows these."""
_STRINGS = 'strict $.** ? (@.type() == "string")'
# Of rich text the texts of nodes alone: their types and attributes are no words of the author's.
_INSIDE = {"richtext": "strict $.**.text", "multiselect": _STRINGS, "json": _STRINGS}


def condition(filters: Filters, words: str) -> str:
    """What must hold for a row `d` that has the words, in the syntax of `websearch_to_tsquery`.

    Raises:
        FilterError: the type has no field that is searched, or the words hold what no text can.
        FieldForbiddenError: it has some, none of which is within the caller's reach.
    """
    root = filters.root
    # Private fields are never among these.
    searched = [f for f in root.content_type.fields.values() if f.is_searchable and f.type not in NESTED]
    if not searched:
        raise FilterError(f"{root.content_type.key} has no field that q could be looked for in.")
    seen = [field for field in searched if root.visible.reaches(field.key)]
    if not seen:
        raise FieldForbiddenError("Your rights reach none of the fields that q is looked for in.")
    try:
        asked = filters.bound.bind(read_text(words))
    except ValueError:
        raise FilterError("q holds a character that no text can have.") from None
    language = _language(filters)
    text = f"left(concat_ws(E'\\n', {', '.join(_text(field) for field in seen)}), {MAX_INDEXED_CHARACTERS})"
    sql = f"to_tsvector({language}, {text}) @@ websearch_to_tsquery({language}, {asked}::text)"
    filters.used.append(Used(Clause("q", OPERATOR, (words,)), sql, None, None, False))
    return sql


def _language(filters: Filters) -> str:
    """The configuration for the words of a row, by its locale."""
    locales = filters.root.chain.locales if filters.root.chain is not None else ()
    by_locale = {locale: configuration(locale) for locale in locales}
    if len(set(by_locale.values())) == 1:
        return f"'{next(iter(by_locale.values()))}'::regconfig"
    cases = [f"WHEN {filters.bound.bind(locale)}::text THEN '{name}'" for locale, name in by_locale.items()]
    return f"(CASE d.locale::text {' '.join(cases)} ELSE 'simple' END)::regconfig"


def _text(field: FieldDefinition) -> str:
    """The words of a field. Its key matches KEY_PATTERN, so it cannot end the literal."""
    inside = _INSIDE.get(field.type)
    if inside is None:
        return f"d.data->>'{field.key}'"
    texts = f"jsonb_path_query(d.data->'{field.key}', '{inside}', '{{}}', true) AS x(text)"
    return f"(SELECT string_agg(x.text #>> '{{}}', E'\\n') FROM {texts})"
