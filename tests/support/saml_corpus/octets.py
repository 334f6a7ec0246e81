"""What is refused before a parser runs, or by the parser: what two readers could read differently, what has no end."""

from collections.abc import Iterator

from lxml import etree

from tests.support.saml_corpus.case import VICTIM, Case, edited, respond, with_another

NAME = "anna@contoso.com</NameID>"
NOT_MARKUP = "no DTD, comment or CDATA section"
NOT_PI = "no processing instruction"
ENTITY = f'<!DOCTYPE r [<!ENTITY who "{VICTIM}">]>'
LAUGHS = (
    "<!DOCTYPE r [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)) + "]>"
)


def cases() -> Iterator[Case]:
    yield from _values()
    yield from _dtd()
    yield from _encodings()
    yield from _sizes()


def _case(name: str, attack: str, refused: bytes, wanted: str) -> Case:
    return Case(
        reason="malformed_response", name=name, attack=attack, refused=refused, accepted=respond(), wanted=wanted
    )


def _values() -> Iterator[Case]:
    """Canonicalization drops comments, so the signature holds over a name that some readers cut short (CVE-2017-11427)."""
    attack = "comment, PI or CDATA in a value"
    yield _case(
        "comment_in_name_id", attack, edited(NAME, "anna@contoso.com<!-- -->.evil.example</NameID>"), NOT_MARKUP
    )
    yield _case(
        "comment_before_name", attack, edited(">anna@contoso.com</N", "><!--x-->anna@contoso.com</N"), NOT_MARKUP
    )
    yield _case("comment_between_elements", attack, edited("<Subject>", "<!-- --><Subject>"), NOT_MARKUP)
    yield _case("comment_behind_the_root", attack, respond() + b"<!-- -->", NOT_MARKUP)
    yield _case("cdata_in_name_id", attack, edited(f">{NAME}", "><![CDATA[anna@contoso.com]]></NameID>"), NOT_MARKUP)
    yield _case("instruction_in_name_id", attack, edited(NAME, "anna<?x y?>@contoso.com</NameID>"), NOT_PI)
    yield _case("instruction_behind_the_root", attack, respond() + b"<?x y?>", NOT_PI)
    attack = "DigestValue and SignedInfo tricks"
    yield _case("comment_in_digest_value", attack, edited("<DigestValue>", "<DigestValue><!--AAAA-->"), NOT_MARKUP)
    yield _case("comment_in_signature_value", attack, edited("<SignatureValue>", "<SignatureValue><!---->"), NOT_MARKUP)


def _dtd() -> Iterator[Case]:
    attack = "XXE, DTD and entities"
    document = respond().decode()
    for name, doctype in (
        ("doctype", "<!DOCTYPE r>"),
        ("external_dtd", '<!DOCTYPE r SYSTEM "https://evil.example/x.dtd">'),
        ("external_entity", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        ("parameter_entity", '<!DOCTYPE r [<!ENTITY % x SYSTEM "https://evil.example/x"> %x;]>'),
        ("attribute_defaults", '<!DOCTYPE r [<!ATTLIST Conditions NotBefore CDATA "2026-11-24T07:00:00Z">]>'),
        ("id_by_attlist", "<!DOCTYPE r [<!ATTLIST AttributeStatement Name ID #IMPLIED>]>"),
        ("billion_laughs", LAUGHS),
    ):
        yield _case(name, attack, (doctype + document).encode(), NOT_MARKUP)
    yield _case(
        "entity_for_a_person", attack, (ENTITY + document.replace("9f0e1d2c-", "&who;-", 1)).encode(), NOT_MARKUP
    )
    yield _case("entity_without_dtd", attack, edited(NAME, "&who;</NameID>"), "a well-formed XML document")


def _encodings() -> Iterator[Case]:
    attack = "two parsers, encodings"
    genuine = respond()
    yield _case("utf_16", attack, genuine.decode().encode("utf-16"), "UTF-8 without byte order mark or NUL")
    yield _case("byte_order_mark", attack, b"\xef\xbb\xbf" + genuine, "UTF-8 without byte order mark or NUL")
    yield _case("nul_at_the_end", attack, genuine + b"\x00", "UTF-8 without byte order mark or NUL")
    yield _case("latin_1", attack, genuine.decode().encode("latin-1"), "UTF-8")
    yield _case("overlong_utf_8", attack, genuine.replace(b"anna@", b"anna\xc1\x80", 1), "UTF-8")
    yield _case("declared_utf_7", attack, b'<?xml version="1.0" encoding="UTF-7"?>' + genuine, NOT_PI)
    yield _case("xml_1_1", attack, b'<?xml version="1.1"?>' + genuine, NOT_PI)
    yield _case("two_roots", attack, genuine + genuine, "a well-formed XML document")
    yield _case("cut_short", attack, genuine[:-20], "a well-formed XML document")
    yield _case(
        "control_character", attack, edited("anna@contoso.com</N", "anna@contoso.com&#x1;</N"), "a well-formed XML"
    )
    yield _case(
        "attribute_twice", attack, edited("<Conditions NotB", '<Conditions NotBefore="x" NotB'), "a well-formed XML"
    )


def _sizes() -> Iterator[Case]:
    attack = "deflate bomb, oversize, nesting"
    yield _case("too_many_bytes", attack, edited("</NameID>", " " * 262_144 + "</NameID>"), "at most 262144 bytes")
    many = "<Attribute Name='x'/>" * 9_000 + "</AttributeStatement>"
    yield _case("too_many_elements", attack, edited("</AttributeStatement>", many), "at most 4000 elements")
    yield Case(
        reason="malformed_response",
        name="one_element_too_many",
        attack=attack,
        refused=_of_elements(4_001),
        accepted=_of_elements(4_000),
        wanted="at most 4000 elements",
    )
    declarations = "".join(f' xmlns:n{number}="urn:oasis:names:tc:SAML:2.0:protocol"' for number in range(64))
    yield _case(
        "too_many_namespaces", attack, edited("<Conditions ", f"<Conditions{declarations} "), "at most 64 namespace"
    )
    deep = "<Advice>" * 300 + "</Advice>" * 300
    yield _case("too_deep", attack, edited("<Conditions ", f"{deep}<Conditions "), "a well-formed XML document")
    yield _case("long_value", attack, edited("Anna Ærø", "A" * 16_385), "at most 16384 characters in AttributeValue")
    yield _case(
        "long_attribute", attack, edited(' Version="2.0" xml', f' Version="{"2" * 16_385}" xml'), "at most 16384"
    )


def _of_elements(count: int) -> bytes:
    """Signed with so many, most of them values that are empty: one tag each, not two."""
    without = sum(1 for _ in etree.fromstring(respond(claims=with_another(("urn:many", ())))).iter())
    signed = respond(claims=with_another(("urn:many", ("",) * (count - without))))
    return signed.replace(b"<AttributeValue></AttributeValue>", b"<AttributeValue/>")
