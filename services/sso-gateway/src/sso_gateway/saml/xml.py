"""Bytes to one hardened lxml tree, or a refusal.

The only XML parser of the gateway. What could make two readers disagree is refused on the bytes, before a parser sees it: DTDs,
entities, comments, CDATA, processing instructions, other encodings. What could cost time is capped before the parser runs; depth
is capped by the parser (256) and then by the grammar (9).
"""

import re

from lxml import etree

from sso_gateway.saml.errors import malformed

MAX_BYTES = 256 * 1024
MAX_ELEMENTS = 4000
MAX_NAMESPACE_DECLARATIONS = 64

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
NAMESPACES = frozenset({PROTOCOL, ASSERTION, XMLDSIG})

XML_DECLARATION = re.compile(
    rb"""<\?xml version=["']1\.0["']( encoding=["'][uU][tT][fF]-8["'])?( standalone=["'](yes|no)["'])? ?\?>"""
)


def parse_hardened(data: bytes) -> etree._Element:
    """The root element of `data`.

    Raises:
        SamlRefusal: malformed_response.
    """
    _check_octets(data)
    root = parse_canonical(data)
    _check_namespaces(root)
    return root


def parse_canonical(data: bytes) -> etree._Element:
    """The root element of octets that `parse_hardened` and the grammar have let pass before they were canonicalized."""
    # A parser for each document: lxml parsers keep state (error log, dictionary) and this one costs 3 µs.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        strip_cdata=False,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        # The parser's own message quotes the document, so it stays here.
        raise malformed("a well-formed XML document", "something else") from None


def _check_octets(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise malformed(f"at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    if data.startswith(b"\xef\xbb\xbf") or b"\x00" in data:
        raise malformed("UTF-8 without byte order mark or NUL", "one of them")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("UTF-8", "other bytes") from None
    if b"<!" in data:
        raise malformed("no DTD, comment or CDATA section", "one of them")
    declaration = XML_DECLARATION.match(data)
    if data.find(b"<?", declaration.end() if declaration else 0) >= 0:
        raise malformed("no processing instruction", "one")
    # In what is left `<` begins a tag and nothing else, so these are the elements. Where it is not well-formed, a parser makes no
    # more of them before it sees that.
    if (elements := data.count(b"<") - data.count(b"</") - (declaration is not None)) > MAX_ELEMENTS:
        raise malformed(f"at most {MAX_ELEMENTS} elements", str(elements))
    if (declarations := data.count(b"xmlns")) > MAX_NAMESPACE_DECLARATIONS:
        raise malformed(f"at most {MAX_NAMESPACE_DECLARATIONS} namespace declarations", str(declarations))


def _check_namespaces(root: etree._Element) -> None:
    """Refuse also what is declared and not used: a relative URI breaks the canonicalizer, others have no business here."""
    for _event, (_prefix, uri) in etree.iterwalk(root, events=("start-ns",)):
        if uri not in NAMESPACES:
            raise malformed("only the namespaces of SAML 2.0 and XML Signature", uri)
