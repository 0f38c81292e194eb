"""Vectorizers of texts and of records: to entries of a row that is mostly zeros."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

Made = tuple[Steps, Source]


@transform("sklearn.CountVectorizer")
def counted(lower: Lower, part: Any, source: Source) -> Made:
    """How often each word of the vocabulary comes."""
    vocabulary = part.vocabulary_
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    step = {
        "op": "count",
        **_pieces(part, source),
        "words": lower.program.listed(list(map(str, words))),
        "binary": bool(part.binary),
        "width": len(words),
    }
    return [step], Source(len(words), sparse=True, absent=True)


@transform("sklearn.TfidfVectorizer")
def weighed_words(lower: Lower, part: Any, source: Source) -> Made:
    """The same, weighed."""
    steps, source = counted(lower, part, source)
    more, source = weighed(lower, part._tfidf, source)
    return [*steps, *more], source


@transform("sklearn.TfidfTransformer")
def weighed(lower: Lower, part: Any, source: Source) -> Made:
    """Counts by logarithms and weights where asked, and rows of one length."""
    if not source.sparse:
        raise NotConverted(_("{type} has no faster form here: it gets numbers.", type=type(part).__name__))
    step = {
        "op": "weigh",
        "logarithm": bool(part.sublinear_tf),
        "weights": lower.keep(part.idf_) if part.use_idf else None,
        "norm": part.norm,
    }
    return [step], source


@transform("sklearn.HashingVectorizer")
def hashed(lower: Lower, part: Any, source: Source) -> Made:
    """Counts at the places that the words' hashes name."""
    width = int(part.n_features)
    step = {
        "op": "hash",
        **_pieces(part, source),
        "binary": bool(part.binary),
        "signs": bool(part.alternate_sign),
        "width": width,
    }
    weigh = {"op": "weigh", "logarithm": False, "weights": None, "norm": part.norm}
    return [step, *([weigh] if part.norm else [])], Source(width, sparse=True, absent=True)


@transform("sklearn.DictVectorizer")
def named(lower: Lower, part: Any, source: Source) -> Made:
    """Numbers at the places of their keys, texts at those of key and text."""
    if source.fields is None:
        raise NotConverted(_("{type} has no faster form here: it gets numbers.", type=type(part).__name__))
    numbers, words = [], []
    for at, field in enumerate(source.fields):
        head = f"{field.name}{part.separator}"
        if field.kind in ("number", "integer", "boolean"):
            if field.name in part.vocabulary_:
                numbers.append([at, int(part.vocabulary_[field.name])])
            continue
        if field.kind not in ("text", "category") or not all(
            isinstance(entry, str) for entry in field.categories or ()
        ):
            raise NotConverted(_("The column {name} holds no numbers.", name=field.name))
        known = {
            key[len(head) :]: int(place) for key, place in part.vocabulary_.items() if key.startswith(head)
        }
        words.append([at, list(known), list(known.values())])
    width = len(part.vocabulary_)
    step = {"op": "named", "numbers": numbers, "words": words, "width": width}
    return [step], Source(width, sparse=True, absent=bool(part.sparse))


def _pieces(part: Any, source: Source) -> dict[str, Any]:
    """How a text is cut.

    Raises:
        NotConverted: a function of the user's does it, or it is no text that comes.
    """
    for name in ("analyzer", "preprocessor", "tokenizer", "strip_accents"):
        found = getattr(part, name)
        if callable(found) and not (name == "tokenizer" and part.analyzer != "word"):
            called = getattr(found, "__name__", type(found).__name__)
            raise NotConverted(
                _("Its {name} is a function of your own: {function}.", name=name, function=called)
            )
    field = source.fields[0] if source.fields is not None and source.width == 1 else None
    if part.input != "content" or field is None or field.kind not in ("text", "category"):
        raise NotConverted(_("{type} gets something else than texts.", type=type(part).__name__))
    low, high = part.ngram_range
    stop = part.get_stop_words() if part.analyzer == "word" else None
    return {
        "at": None if source.texts else 0,
        "analyzer": part.analyzer,
        "lower": bool(part.lowercase),
        "accents": part.strip_accents,
        "pattern": part.token_pattern,
        "stop": None if stop is None else sorted(stop),
        "low": int(low),
        "high": int(high),
    }
