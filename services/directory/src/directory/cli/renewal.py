"""What comes next in the renewal of a signing certificate, and how the looks at the metadata go, for whoever looks at the list
of them (S60). Pure.

The order that makes no gap: new in Entra, pasted here, made active there, the former one removed here. Where Entra was first,
logins by the new one are refused until it is pasted, unless the company takes it from the metadata.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from directory.cli.text import moment
from shared.schemas.metadata import MetadataLooks
from shared.schemas.signing import SigningCertificate

SOON = timedelta(days=60)
_WHERE = "Enterprise applications > BitaBIZ > Single sign-on > SAML Certificates"


def next_step(company: str, certificates: Sequence[SigningCertificate], now: datetime) -> str | None:
    """One or two sentences; None: nothing is to be done."""
    command = f"directory company certificate {company}"
    by_state = {
        state: [one for one in certificates if one.state == state] for state in ("in_use", "staged", "retiring")
    }
    used, staged, retiring = by_state["in_use"], by_state["staged"], by_state["retiring"]
    lasting = [one for one in staged if one.not_after - now > SOON]
    if used and lasting:
        return (
            f"Next, in Entra: {_WHERE} > Edit > ... beside {lasting[0].thumbprint} > Make certificate active. It is trusted here "
            "already, and this list says when it has signed."
        )
    if used and used[0].not_after - now <= SOON:
        return (
            f"Next, in Entra: {_WHERE} > Edit > New Certificate > Save, and leave it inactive; download it (Base64) "
            f"and trust it here: {command} --add FILE. Only then make it active there."
        )
    if retiring and used:
        return f"Next: remove what signs no more: {command} --remove {retiring[0].fingerprint[:16]}"
    return None


def looks_told(looks: MetadataLooks) -> str:
    """How the looks at the app's federation metadata go."""
    told = f"Federation metadata ({looks.use}):"
    if looks.use == "off":
        return f"{told} not looked at; what is new in Entra is pasted here."
    if looks.due_at is None:
        return f"{told} not looked at: the company is closed, or has no login URL."
    if looks.failing_since is not None:
        return (
            f"{told} not read since {moment(looks.failing_since)}: {looks.failure}. What is trusted stays in use, and a "
            "certificate that Entra makes active unannounced is refused. The next look is due about every hour."
        )
    if looks.looked_at is None:
        return f"{told} looked at in a moment, for the first time."
    return f"{told} looked at {moment(looks.looked_at)}; the next look is due {moment(looks.due_at)}."
