"""The SAML responses of tests/data/saml: what each of them is, and how it is made from the simulator.

    python -m tests.support.saml_corpus

writes `accepted/<case>/` and `refused/<reason>/<case>/`, the same bytes each time. A case of refused/ is two documents:
`refused.xml` and its twin `accepted.xml`, which is the same without the one defect. `case.toml` says which line of the table in
docs/login.md it belongs to, what the company requires and trusts, and, where a reason has many rules, which one answers.

Modules hold cases by what is attacked: `octets` before the parser, `grammar`, `wrapping`, `signatures`, and `statement` for
parties, times and persons. `case` holds the tools.
"""
