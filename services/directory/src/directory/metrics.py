"""Metrics that directory moves; those common to all services are in `shared.telemetry.metrics`."""

from prometheus_client import Counter, Gauge, Histogram

LOGIN_DECISIONS = Counter(
    "directory_login_decisions_total",
    "Verified assertions decided on: accepted, or the reason of the refusal",
    ["decision"],
)
REFUSALS_NOTED = Counter(
    "directory_refusals_noted_total",
    "Answers that the gateway refused by itself, on their way into the traces: written, refused (no such company), unfit, again",
    ["result"],
)
WRITES = Counter(
    "directory_writes_total",
    "Changes asked for and committed; unchanged: everything was so already and nothing was written",
    ["entity", "result"],
)
MANAGER_LINKS = Counter(
    "directory_manager_links_total",
    "Manager references: linked at once, deferred until the manager appears, resolved then, cleared by a departure",
    ["result"],
)
LISTENING = Gauge(
    "directory_listening",
    "1 while this process hears what PostgreSQL tells on the channel; 0: ended sessions are refused within a second all the same",
    ["channel"],
)
ENDINGS_HEARD = Counter("directory_endings_heard_total", "Notifications that sessions have ended")
ENDINGS_WATCHERS = Gauge("directory_endings_watchers", "Gateways that wait to hear of ended sessions")
FEED_READERS_WAITING = Gauge("directory_feed_readers_waiting", "Readers of the event feed who wait for the next event")
FEED_READERS_REFUSED = Counter(
    "directory_feed_readers_refused_total", "Readers who were not let wait, because too many do already"
)
FEED_EVENTS_SERVED = Counter("directory_feed_events_served_total", "Events given to readers of the feed")
FEED_LAG = Histogram(
    "directory_feed_lag_seconds",
    "From an event's moment until a reader who waited for it was given it",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
API_REQUESTS = Counter(
    "directory_api_requests_total",
    "Requests of the BitaBIZ application, by what was asked and what came of it",
    ["operation", "result"],
)
GROUP_MEMBERS = Counter(
    "directory_group_members_total",
    "Members of provisioned groups: added, removed, or left out of a request because they have departed",
    ["change"],
)
IMPORTED_ROWS = Counter(
    "directory_imported_rows_total",
    "Rows of CSV imports: created, updated, unchanged, refused (with their whole file), or only tried (dry_run)",
    ["result"],
)
IMPORT_SECONDS = Histogram(
    "directory_import_duration_seconds",
    "CSV imports from the first byte read to the commit",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
FINDINGS = Counter(
    "directory_findings_total",
    "Findings opened or seen again: what somebody in a company ought to look at, by kind",
    ["kind"],
)
HELD_CHANGES = Counter(
    "directory_held_changes_total",
    "Deactivations at the mass-change brake: held; asked_again while held or refused; withdrawn by Entra; released, refused by "
    "somebody of the company or an operator; done after a release",
    ["result"],
)
APP_GRANTS_MISUSED = Counter(
    "directory_app_grants_misused_total",
    "Grants of apps that ended because a code or a refresh token came a second time (reused), or a code with a wrong proof",
    ["reason"],
)
RETIRED_SOURCE_CALLS = Counter(
    "directory_retired_source_calls_total",
    "Provisioning calls with a token of a tenant that the company has left; they change nothing (S70)",
)
JOURNAL = Counter(
    "directory_journal_exchanges_total",
    "Exchanges that scim-ingest handed over for the journal: written, refused (nobody's credential), unfit, or to be given again",
    ["outcome"],
)
REPLAYS = Counter(
    "directory_replays_total",
    "Exchanges of the journal that were done again: changed, unchanged, refused, or only tried (dry_run)",
    ["result"],
)
PLACES_REFUSED = Counter(
    "directory_places_refused_total",
    "Requests answered 503 because too many of the same company were waiting for each other already",
)
NOTES = Counter(
    "directory_notes_total",
    "People noted as asked about by provisioning: written down; failed, to be tried again; dropped, because too many waited",
    ["result"],
)
CYCLES = Counter(
    "directory_cycles_total",
    "Cycles of provisioning that a sweep has looked at: partial (incremental), full, without_checks of managers, has_gaps",
    ["verdict"],
)
CONTACTS = Gauge(
    "directory_provisioning_companies",
    "Companies with provisioning, by when it was heard last: running (10 minutes), resting, silent (longer than a day). Every "
    "process tells of all of them",
    ["standing"],
)
CERTIFICATES_FIRST_USED = Counter(
    "directory_certificates_first_used_total",
    "Trusted signing certificates that signed for the first time in a sign-in that was accepted",
)
CERTIFICATES_EXPIRING = Gauge(
    "directory_certificates_expiring_companies",
    "Companies whose last signing certificate ends within so many days (0: has ended). Every process tells of all of them",
    ["within_days"],
)
SCHEMA_VERSION = Gauge("identity_schema_version", "Migration applied in the database")
METADATA_LOOKS = Gauge(
    "directory_metadata_companies",
    "Companies whose federation metadata is looked at every hour: in_time; failing (the last look could not read it; what is "
    "trusted stays in use); overdue (nobody has looked, for 15 minutes beyond the hour). Every process tells of all of them",
    ["standing"],
)
